//! The keys of a key file: a line each, `id:` and 32 bytes in Base64. The first encrypts, and all decrypt.

use std::path::Path;

use base64::engine::general_purpose::STANDARD as BASE64;
use base64::Engine;
use zeroize::Zeroizing;

use super::aes::Key;
use crate::codeverify::key_file::{self, NO_KEY};

const MOST_ID_BYTES: usize = 32;

/// At least one key, each with an id of its own.
pub struct Keys(Vec<(String, Key)>);

impl Keys {
    /// The key that encrypts, with its id.
    pub fn first(&self) -> Option<(&str, &Key)> {
        self.0.first().map(|(id, key)| (id.as_str(), key))
    }

    /// The key of this id.
    pub fn find(&self, id: &str) -> Option<&Key> {
        self.0
            .iter()
            .find(|(known, _)| known == id)
            .map(|(_, key)| key)
    }

    /// The ids of all keys.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(id, _)| id.as_str())
    }

    /// None for what is not lines of keys, or names two keys alike.
    pub fn parse(content: &str) -> Option<Keys> {
        let mut keys: Vec<(String, Key)> = Vec::new();
        for line in key_file::lines(content) {
            let (id, key) = parse_line(line)?;
            if keys.iter().any(|(known, _)| known == id) {
                return None;
            }
            keys.push((id.to_owned(), key));
        }
        (!keys.is_empty()).then_some(Keys(keys))
    }
}

/// Reads the file at once, so that a new key is in force without a restart.
pub fn read(path: &Path) -> Result<Keys, &'static str> {
    Keys::parse(&key_file::read(path)?).ok_or(NO_KEY)
}

/// Whether a key may be called that: letters, digits, hyphens and underscores.
pub fn is_id(text: &str) -> bool {
    (1..=MOST_ID_BYTES).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

fn parse_line(line: &str) -> Option<(&str, Key)> {
    let (id, text) = line.split_once(':')?;
    // Room for more than a key, so that a longer text is told from one.
    let mut bytes = Zeroizing::new([0; 48]);
    let length = BASE64.decode_slice(text, &mut bytes[..]).ok()?;
    let key = Key::from_bytes(bytes.get(..length)?)?;
    is_id(id).then_some((id, key))
}

/// A line for a new key, from a source of random bytes.
pub fn create_line<E>(
    mut fill: impl FnMut(&mut [u8]) -> Result<(), E>,
) -> Result<Zeroizing<String>, E> {
    let mut id = [0; 4];
    fill(&mut id)?;
    let mut key = Zeroizing::new([0; 32]);
    fill(&mut key[..])?;
    // All of the room at once: growing would leave copies of the key behind.
    let mut line = Zeroizing::new(String::with_capacity(64));
    line.push_str(&hex::encode(id));
    line.push(':');
    BASE64.encode_string(&key[..], &mut line);
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codeverify::key_file::tests::file;
    use std::convert::Infallible;

    fn line(id: &str, byte: u8) -> String {
        format!("{id}:{}", BASE64.encode([byte; 32]))
    }

    #[test]
    fn the_first_line_encrypts_and_all_are_found() {
        let keys = Keys::parse(&format!("{}\n\n{}\n", line("b", 1), line("a", 2))).expect("keys");
        assert_eq!(keys.first().map(|(id, _)| id), Some("b"));
        assert!(keys.find("a").is_some() && keys.find("b").is_some());
        assert!(keys.find("c").is_none() && keys.find("").is_none());
    }

    #[test]
    fn what_is_no_key_spoils_the_file() {
        for content in [
            "",
            "\n",
            "a",
            "a:",
            "a:AAAA",
            &format!("a:{}", BASE64.encode([1; 31])),
            &format!("a:{}", BASE64.encode([1; 33])),
            &format!("a:{}", BASE64.encode([1; 1000])),
            &line("", 1),
            &line("a b", 1),
            &line("ä", 1),
            &line(&"x".repeat(33), 1),
            &format!("{}\nx", line("a", 1)),
            &format!("{}\n{}", line("a", 1), line("a", 2)),
        ] {
            assert!(Keys::parse(content).is_none(), "{content}");
        }
    }

    #[test]
    fn a_new_line_is_a_key() {
        let fill = |bytes: &mut [u8]| {
            bytes.fill(7);
            Ok::<(), Infallible>(())
        };
        let Ok(made) = create_line(fill);
        assert_eq!(*made, line("07070707", 7));
        assert!(made.capacity() <= 64, "it never grew");
        let read = read(&file("encryption", made.as_bytes(), 0o600)).expect("a key");
        assert_eq!(read.first().map(|(id, _)| id), Some("07070707"));
        assert!(create_line(|_| Err(())).is_err());
    }

    #[test]
    fn problems_are_told() {
        let junk = read(&file("encryption-junk", b"junk", 0o600));
        assert_eq!(junk.err(), Some(NO_KEY));
    }
}
