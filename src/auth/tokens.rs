//! The texts of secrets that the extension makes: API keys, session and refresh tokens, codes.
//!
//! A text is a mark that says what it is (`cv_live_` for an API key), 30 random base62 characters and 6
//! of a CRC-32 checksum. The checksum is no secret: it lets a typing error or a scanner's false hit be
//! told without a look-up. What is stored is the SHA-256 of the whole text.

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

const RANDOM_LENGTH: usize = 30;
const CHECKSUM_LENGTH: usize = 6;
const PREFIX_LENGTH: usize = 10;
const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// What a token is for. One kind is never taken for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    ApiKey,
    Session,
    Refresh,
    Invitation,
    PasswordReset,
    EmailVerification,
}

impl Kind {
    #[cfg(test)]
    pub const ALL: [Kind; 6] = [
        Kind::ApiKey,
        Kind::Session,
        Kind::Refresh,
        Kind::Invitation,
        Kind::PasswordReset,
        Kind::EmailVerification,
    ];

    /// What the text begins with.
    pub fn mark(self) -> &'static str {
        match self {
            Kind::ApiKey => "cv_live_",
            Kind::Session => "cv_session_",
            Kind::Refresh => "cv_refresh_",
            Kind::Invitation => "cv_invite_",
            Kind::PasswordReset => "cv_reset_",
            Kind::EmailVerification => "cv_verify_",
        }
    }
}

/// A well-formed token. Its text is never shown by Debug and is wiped when dropped.
#[derive(PartialEq, Eq)]
pub struct Token {
    kind: Kind,
    text: Zeroizing<String>,
}

impl std::fmt::Debug for Token {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Token({}…)", self.kind.mark())
    }
}

impl Token {
    /// Makes a token from a source of random bytes; about 178 bits of it go into the text.
    ///
    /// Bytes of 248 and above are drawn again, so that every character is equally likely.
    pub fn generate<E>(
        kind: Kind,
        mut fill: impl FnMut(&mut [u8]) -> Result<(), E>,
    ) -> Result<Token, E> {
        // All of the room at once: growing would leave copies of the secret behind.
        let length = kind.mark().len() + RANDOM_LENGTH + CHECKSUM_LENGTH;
        let mut text = Zeroizing::new(String::with_capacity(length));
        text.push_str(kind.mark());
        let mut bytes = Zeroizing::new([0u8; 2 * RANDOM_LENGTH]);
        while text.len() < length - CHECKSUM_LENGTH {
            fill(&mut bytes[..])?;
            let missing = length - CHECKSUM_LENGTH - text.len();
            let drawn = bytes
                .iter()
                .filter(|byte| **byte < 248)
                .map(|byte| BASE62[usize::from(*byte) % 62]);
            text.extend(drawn.map(char::from).take(missing));
        }
        let checksum = checksum(&text);
        text.push_str(&checksum);
        Ok(Token { kind, text })
    }

    /// Reads a token as a client sent it; None when the kind, the form or the checksum is wrong.
    pub fn parse(kind: Kind, text: &str) -> Option<Token> {
        let mark = kind.mark();
        let body_length = mark.len() + RANDOM_LENGTH;
        let well_formed = text.len() == body_length + CHECKSUM_LENGTH
            && text.starts_with(mark)
            && text
                .bytes()
                .skip(mark.len())
                .all(|byte| byte.is_ascii_alphanumeric())
            && text[body_length..] == checksum(&text[..body_length]);
        well_formed.then(|| Token {
            kind,
            text: Zeroizing::new(text.to_owned()),
        })
    }

    /// The token itself, to be shown once.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What may be shown later to tell API keys apart.
    pub fn prefix(&self) -> &str {
        &self.text[..PREFIX_LENGTH]
    }

    /// SHA-256 of the text in 64 hexadecimal digits. A random 178-bit secret needs no slow hash.
    pub fn hash(&self) -> String {
        hex::encode(Sha256::digest(self.text.as_bytes()))
    }
}

fn checksum(body: &str) -> String {
    let mut rest = crc32fast::hash(body.as_bytes());
    let mut digits = [b'0'; CHECKSUM_LENGTH];
    for digit in digits.iter_mut().rev() {
        *digit = BASE62[(rest % 62) as usize];
        rest /= 62;
    }
    digits.iter().copied().map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn token(kind: Kind) -> Token {
        Token::generate(kind, getrandom::fill).expect("random bytes")
    }

    fn any_kind() -> impl Strategy<Value = Kind> {
        proptest::sample::select(&Kind::ALL[..])
    }

    #[test]
    fn an_api_key_has_the_documented_form() {
        let key = token(Kind::ApiKey);
        assert_eq!(key.text().len(), 44);
        assert!(key.text().starts_with("cv_live_"));
        assert_eq!(key.prefix().len(), 10);
        assert_eq!(key.hash().len(), 64);
    }

    #[test]
    fn a_generated_token_parses_as_its_own_kind_only() {
        for kind in Kind::ALL {
            let token = token(kind);
            for other in Kind::ALL {
                assert_eq!(Token::parse(other, token.text()).is_some(), other == kind);
            }
        }
    }

    #[test]
    fn a_known_key_keeps_its_checksum_and_hash() {
        let key = Token::generate(Kind::ApiKey, |bytes| -> Result<(), ()> {
            bytes.fill(0);
            Ok(())
        })
        .expect("zeros");
        let crc = crc32fast::hash(b"cv_live_000000000000000000000000000000");
        assert_eq!(
            u32::from_str_radix("CBF43926", 16),
            Ok(crc32fast::hash(b"123456789"))
        );
        let digits = key.text()[38..].bytes().fold(0u64, |sum, byte| {
            sum * 62
                + BASE62
                    .iter()
                    .position(|known| *known == byte)
                    .expect("base62") as u64
        });
        assert_eq!(digits, u64::from(crc));
    }

    #[test]
    fn the_text_does_not_leak_through_debug() {
        let key = token(Kind::ApiKey);
        assert!(!format!("{key:?}").contains(&key.text()[10..]));
    }

    #[test]
    fn a_failing_source_gives_no_token() {
        assert_eq!(
            Token::generate(Kind::Session, |_| Err("no entropy")).map(|_| ()),
            Err("no entropy")
        );
    }

    proptest! {
        #[test]
        fn one_changed_character_is_noticed(kind in any_kind(), place in 0usize..44, replacement in "[ -~]") {
            let token = token(kind);
            let mut text = token.text().to_owned();
            text.replace_range(place..=place, &replacement);
            prop_assert_eq!(Token::parse(kind, &text).is_some(), text == token.text());
        }

        #[test]
        fn any_text_is_parsed_without_panic(kind in any_kind(), text in ".*") {
            prop_assert!(Token::parse(kind, &text).is_none());
        }
    }
}
