//! The text of an API key: `cv_live_`, 30 random base62 characters, 6 of a CRC-32 checksum.
//!
//! The checksum is no secret: it lets a typing error or a scanner's false hit be told without a
//! look-up. What is stored is the SHA-256 of the whole text and its first ten characters.

use sha2::{Digest, Sha256};

const MARK: &str = "cv_live_";
const RANDOM_LENGTH: usize = 30;
const CHECKSUM_LENGTH: usize = 6;
const PREFIX_LENGTH: usize = 10;
const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A well-formed key. Its text is never shown by Debug.
#[derive(PartialEq, Eq)]
pub struct ApiKey(String);

impl std::fmt::Debug for ApiKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "ApiKey({}…)", self.prefix())
    }
}

impl ApiKey {
    /// Makes a key from a source of random bytes; about 178 bits of it go into the text.
    ///
    /// Bytes of 248 and above are drawn again, so that every character is equally likely.
    pub fn generate<E>(mut fill: impl FnMut(&mut [u8]) -> Result<(), E>) -> Result<ApiKey, E> {
        let mut random = String::with_capacity(RANDOM_LENGTH);
        let mut bytes = [0u8; 2 * RANDOM_LENGTH];
        while random.len() < RANDOM_LENGTH {
            fill(&mut bytes)?;
            let drawn = bytes
                .iter()
                .filter(|byte| **byte < 248)
                .map(|byte| BASE62[usize::from(*byte) % 62]);
            random.extend(drawn.map(char::from).take(RANDOM_LENGTH - random.len()));
        }
        let body = format!("{MARK}{random}");
        let checksum = checksum(&body);
        Ok(ApiKey(body + &checksum))
    }

    /// Reads a key as a client sent it; None when the form or the checksum is wrong.
    pub fn parse(text: &str) -> Option<ApiKey> {
        let body_length = MARK.len() + RANDOM_LENGTH;
        let well_formed = text.len() == body_length + CHECKSUM_LENGTH
            && text.starts_with(MARK)
            && text
                .bytes()
                .skip(MARK.len())
                .all(|byte| byte.is_ascii_alphanumeric())
            && text[body_length..] == checksum(&text[..body_length]);
        well_formed.then(|| ApiKey(text.to_owned()))
    }

    /// The key itself, to be shown once.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// What may be shown later to tell keys apart.
    pub fn prefix(&self) -> &str {
        &self.0[..PREFIX_LENGTH]
    }

    /// SHA-256 of the text in 64 hexadecimal digits. A random 178-bit secret needs no slow hash.
    pub fn hash(&self) -> String {
        hex::encode(Sha256::digest(self.0.as_bytes()))
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

    fn key() -> ApiKey {
        ApiKey::generate(getrandom::fill).expect("random bytes")
    }

    #[test]
    fn a_generated_key_parses_and_has_the_documented_form() {
        let key = key();
        assert_eq!(key.text().len(), 44);
        assert!(key.text().starts_with("cv_live_"));
        assert_eq!(key.prefix().len(), 10);
        assert_eq!(key.hash().len(), 64);
        assert_eq!(ApiKey::parse(key.text()), Some(key));
    }

    #[test]
    fn a_known_key_keeps_its_checksum_and_hash() {
        let key = ApiKey::generate(|bytes| -> Result<(), ()> {
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
        let key = key();
        assert!(!format!("{key:?}").contains(&key.text()[10..]));
    }

    #[test]
    fn a_failing_source_gives_no_key() {
        assert_eq!(
            ApiKey::generate(|_| Err("no entropy")).map(|_| ()),
            Err("no entropy")
        );
    }

    proptest! {
        #[test]
        fn one_changed_character_is_noticed(place in 0usize..44, replacement in "[ -~]") {
            let key = key();
            let mut text = key.text().to_owned();
            text.replace_range(place..=place, &replacement);
            prop_assert_eq!(ApiKey::parse(&text).is_some(), text == key.text());
        }

        #[test]
        fn any_text_is_parsed_without_panic(text in ".*") {
            prop_assert!(ApiKey::parse(&text).is_none());
        }
    }
}
