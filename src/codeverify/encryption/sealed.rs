//! What a column holds for a secret: `cv1:<id of the key>:<Base64 of nonce, ciphertext and tag>`.
//!
//! The associated data name column and row, so that a text that is copied to another row or column does not open.

use base64::engine::general_purpose::STANDARD as BASE64;
use base64::Engine;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::aes::{NONCE, TAG};
use super::keys::{is_id, Keys};

const VERSION: &str = "cv1";
const DOMAIN: &[u8] = b"codeverify column";

/// Where a secret belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place<'a> {
    /// As schema.table.column.
    pub column: &'a str,
    pub row: Uuid,
}

impl Place<'_> {
    fn associated_data(self) -> Vec<u8> {
        [
            DOMAIN,
            b"\0",
            self.column.as_bytes(),
            b"\0",
            self.row.as_bytes(),
        ]
        .concat()
    }
}

/// A stored text, taken apart.
#[derive(Debug, PartialEq, Eq)]
pub struct Sealed<'a> {
    pub key_id: &'a str,
    nonce: [u8; NONCE],
    ciphertext: Vec<u8>,
}

impl<'a> Sealed<'a> {
    /// The text to store. None for more than can be encrypted. A nonce must never come twice.
    pub fn seal(keys: &Keys, place: Place, nonce: [u8; NONCE], secret: &[u8]) -> Option<String> {
        let (id, key) = keys.first()?;
        let ciphertext = key.encrypt(nonce, secret, &place.associated_data())?;
        let body = BASE64.encode([&nonce[..], &ciphertext].concat());
        Some(format!("{VERSION}:{id}:{body}"))
    }

    /// None for what seal() never wrote.
    pub fn parse(text: &'a str) -> Option<Sealed<'a>> {
        let (key_id, body) = text
            .strip_prefix(VERSION)?
            .strip_prefix(':')?
            .split_once(':')?;
        let bytes = BASE64.decode(body).ok()?;
        let (nonce, ciphertext) = bytes.split_first_chunk::<NONCE>()?;
        (is_id(key_id) && ciphertext.len() >= TAG).then(|| Sealed {
            key_id,
            nonce: *nonce,
            ciphertext: ciphertext.to_vec(),
        })
    }

    /// The secret, or what is the matter.
    pub fn open(&self, keys: &Keys, place: Place) -> Result<Zeroizing<Vec<u8>>, &'static str> {
        let key = keys
            .find(self.key_id)
            .ok_or("the file lacks the key that encrypted what is stored")?;
        key.decrypt(self.nonce, &self.ciphertext, &place.associated_data())
            .ok_or(
                "what is stored was encrypted for another place or by another key, or was altered",
            )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PLACE: Place = Place {
        column: "auth.users.totp_secret",
        row: Uuid::from_u128(1),
    };

    fn keys(ids: &[(&str, u8)]) -> Keys {
        let lines: Vec<String> = ids
            .iter()
            .map(|(id, byte)| format!("{id}:{}", BASE64.encode([*byte; 32])))
            .collect();
        Keys::parse(&lines.join("\n")).expect("keys")
    }

    fn stored(keys: &Keys, secret: &[u8]) -> String {
        Sealed::seal(keys, PLACE, [5; NONCE], secret).expect("a text")
    }

    fn secret(keys: &Keys, place: Place, text: &str) -> Option<Vec<u8>> {
        Some(Sealed::parse(text)?.open(keys, place).ok()?.to_vec())
    }

    #[test]
    fn a_secret_comes_back_after_the_key_was_changed() {
        let text = stored(&keys(&[("old", 1)]), b"seed");
        assert!(text.starts_with("cv1:old:"), "{text}");
        let both = keys(&[("new", 2), ("old", 1)]);
        assert_eq!(secret(&both, PLACE, &text).as_deref(), Some(&b"seed"[..]));
        assert!(stored(&both, b"seed").starts_with("cv1:new:"));
    }

    #[test]
    fn the_key_must_be_there() {
        let text = stored(&keys(&[("old", 1)]), b"seed");
        let sealed = Sealed::parse(&text).expect("a text");
        let problem = sealed.open(&keys(&[("new", 1)]), PLACE).err();
        assert!(problem.is_some_and(|problem| problem.contains("lacks")));
        let problem = sealed.open(&keys(&[("old", 2)]), PLACE).err();
        assert!(problem.is_some_and(|problem| problem.contains("another key")));
    }

    #[test]
    fn it_opens_nowhere_else() {
        let keys = keys(&[("k", 1)]);
        let text = stored(&keys, b"seed");
        for place in [
            Place {
                row: Uuid::from_u128(2),
                ..PLACE
            },
            Place {
                column: "auth.users.access_token_encrypted",
                ..PLACE
            },
            Place {
                column: "auth.jwt_keys.secret_encrypted",
                ..PLACE
            },
        ] {
            assert_eq!(secret(&keys, place, &text), None, "{place:?}");
        }
    }

    #[test]
    fn no_flipped_bit_goes_unnoticed() {
        let keys = keys(&[("k", 1)]);
        let text = stored(&keys, b"seed");
        let bytes = BASE64.decode(&text[6..]).expect("Base64");
        for place in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[place] ^= 1;
            let damaged = format!("cv1:k:{}", BASE64.encode(damaged));
            assert_eq!(secret(&keys, PLACE, &damaged), None, "byte {place}");
        }
    }

    #[test]
    fn what_is_no_such_text_is_not_read() {
        let short = format!("cv1:k:{}", BASE64.encode([0; NONCE + TAG - 1]));
        for text in [
            "",
            "seed",
            "cv1",
            "cv1:k",
            "cv1::AAAA",
            "cv2:k:AAAA",
            "cv1:k:?",
            &short,
        ] {
            assert_eq!(Sealed::parse(text), None, "{text}");
        }
        let empty = stored(&keys(&[("k", 1)]), b"");
        assert_eq!(secret(&keys(&[("k", 1)]), PLACE, &empty), Some(vec![]));
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic(text in "(cv1:)?.*") {
            let keys = keys(&[("k", 1)]);
            prop_assert_eq!(secret(&keys, PLACE, &text), None);
        }
    }
}
