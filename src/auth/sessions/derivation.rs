//! A session's two tokens, and how an exchange makes the next two.
//!
//! The children are computed from the parent's text and a random salt that is kept with the session. So whoever
//! presents the parent again gets the same children, though only their hashes are stored; and whoever reads the table
//! cannot compute them, for lack of the text.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::auth::tokens::{Kind, Token};

pub const SALT_LENGTH: usize = 32;

/// What a client holds of a session.
#[derive(Debug, PartialEq, Eq)]
pub struct Pair {
    /// Opens transactions; lives for minutes.
    pub session: Token,
    /// Is exchanged for the next pair, once; lives as long as the session.
    pub refresh: Token,
}

impl Pair {
    /// The first pair of a session.
    pub fn random<E>(mut fill: impl FnMut(&mut [u8]) -> Result<(), E>) -> Result<Pair, E> {
        Ok(Pair {
            session: Token::generate(Kind::Session, &mut fill)?,
            refresh: Token::generate(Kind::Refresh, &mut fill)?,
        })
    }

    /// The pair that a refresh token is exchanged for.
    pub fn child_of(parent: &Token, salt: &[u8; SALT_LENGTH]) -> Pair {
        Pair {
            session: child(Kind::Session, parent, salt),
            refresh: child(Kind::Refresh, parent, salt),
        }
    }
}

fn child(kind: Kind, parent: &Token, salt: &[u8; SALT_LENGTH]) -> Token {
    let mut stream = Stream::new(kind, parent, salt);
    let Ok(token) = Token::generate(kind, |bytes| {
        bytes.fill_with(|| stream.next_byte());
        Ok::<(), std::convert::Infallible>(())
    });
    token
}

/// HMAC-SHA256 in counter mode: block `n` is HMAC(parent's text, salt ‖ mark of the kind ‖ n).
struct Stream {
    keyed: Hmac<Sha256>,
    block: Zeroizing<[u8; 32]>,
    used: usize,
    count: u32,
}

impl Stream {
    fn new(kind: Kind, parent: &Token, salt: &[u8; SALT_LENGTH]) -> Stream {
        let mut keyed = <Hmac<Sha256> as KeyInit>::new_from_slice(parent.text().as_bytes())
            .unwrap_or_else(|_| unreachable!("HMAC takes a key of any length"));
        keyed.update(salt);
        keyed.update(kind.mark().as_bytes());
        Stream {
            keyed,
            block: Zeroizing::new([0; 32]),
            used: 32,
            count: 0,
        }
    }

    fn next_byte(&mut self) -> u8 {
        if self.used == self.block.len() {
            let mut keyed = self.keyed.clone();
            keyed.update(&self.count.to_be_bytes());
            self.block
                .copy_from_slice(keyed.finalize().into_bytes().as_slice());
            self.count = self.count.wrapping_add(1);
            self.used = 0;
        }
        let byte = self.block[self.used];
        self.used += 1;
        byte
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn refresh_token(seed: u64) -> Token {
        let mut state = seed;
        Token::generate(Kind::Refresh, |bytes| -> Result<(), ()> {
            bytes.fill_with(|| {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                (state >> 33) as u8 % 248
            });
            Ok(())
        })
        .expect("bytes")
    }

    #[test]
    fn it_is_hmac_sha256_in_counter_mode() {
        // By Python: hmac.digest(parent, salt + mark + counter.to_bytes(4, "big"), "sha256") for the counters 0, 1, …,
        // bytes below 248 modulo 62 as base62 digits, the first 30 of them, and the checksum.
        let parent = Token::generate(Kind::Refresh, |bytes| -> Result<(), ()> {
            bytes.fill(0);
            Ok(())
        })
        .expect("zeros");
        assert_eq!(
            parent.text(),
            "cv_refresh_0000000000000000000000000000000Akxgw"
        );
        let pair = Pair::child_of(&parent, &[7; SALT_LENGTH]);
        assert_eq!(
            pair.session.text(),
            "cv_session_ABEof2PonYmDl4f0cNfXkOuLg2e98Y1dWjyc"
        );
        assert_eq!(
            pair.refresh.text(),
            "cv_refresh_koMZpwvy59Al6fTDYr1t7AvocsUR7d4GBHet"
        );
    }

    #[test]
    fn random_pairs_differ() {
        let pair = || Pair::random(getrandom::fill).expect("random bytes");
        let (one, other) = (pair(), pair());
        assert_ne!(one.refresh, other.refresh);
        assert_ne!(one.session, other.session);
        assert_ne!(one.session.text()[11..], one.refresh.text()[11..]);
    }

    #[test]
    fn a_failing_source_gives_no_pair() {
        assert_eq!(
            Pair::random(|_| Err("no entropy")).map(|_| ()),
            Err("no entropy")
        );
    }

    proptest! {
        #[test]
        fn the_same_parent_and_salt_give_the_same_pair(seed: u64, salt: [u8; SALT_LENGTH]) {
            let pair = Pair::child_of(&refresh_token(seed), &salt);
            prop_assert_eq!(&pair, &Pair::child_of(&refresh_token(seed), &salt));
            prop_assert!(Token::parse(Kind::Session, pair.session.text()).is_some());
            prop_assert!(Token::parse(Kind::Refresh, pair.refresh.text()).is_some());
        }

        #[test]
        fn the_two_tokens_have_nothing_in_common(seed: u64, salt: [u8; SALT_LENGTH]) {
            let pair = Pair::child_of(&refresh_token(seed), &salt);
            prop_assert_ne!(&pair.session.text()[11..], &pair.refresh.text()[11..]);
            prop_assert_ne!(&pair.refresh, &refresh_token(seed));
        }

        #[test]
        fn one_bit_of_the_salt_gives_another_pair(seed: u64, salt: [u8; SALT_LENGTH], place in 0..8 * SALT_LENGTH) {
            let mut other = salt;
            other[place / 8] ^= 1 << (place % 8);
            let (one, other) = (Pair::child_of(&refresh_token(seed), &salt), Pair::child_of(&refresh_token(seed), &other));
            prop_assert_ne!(one.session, other.session);
            prop_assert_ne!(one.refresh, other.refresh);
        }

        #[test]
        fn another_parent_gives_another_pair(seed: u64, other_seed: u64, salt: [u8; SALT_LENGTH]) {
            let (parent, other) = (refresh_token(seed), refresh_token(other_seed));
            prop_assume!(parent != other);
            let (one, other) = (Pair::child_of(&parent, &salt), Pair::child_of(&other, &salt));
            prop_assert_ne!(one.session, other.session);
            prop_assert_ne!(one.refresh, other.refresh);
        }

        #[test]
        fn generations_never_meet_again(seed: u64, salts in proptest::collection::vec(any::<[u8; SALT_LENGTH]>(), 1..20)) {
            let mut seen = std::collections::BTreeSet::new();
            let mut token = refresh_token(seed);
            seen.insert(token.hash());
            for salt in &salts {
                let pair = Pair::child_of(&token, salt);
                prop_assert!(seen.insert(pair.refresh.hash()));
                prop_assert!(seen.insert(pair.session.hash()));
                token = pair.refresh;
            }
        }
    }
}
