//! Codes that stand in for a lost second factor. People keep them on paper and type them, so they have no letters that
//! look like digits, and a checksum: 26 random characters of Crockford's Base32 (130 bits) and two of a CRC-32, in groups of four.

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// How many a user gets at once.
pub const CODES: usize = 10;
const RANDOM_LENGTH: usize = 26;
const LENGTH: usize = RANDOM_LENGTH + 2;
const GROUP: usize = 4;
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// A well-formed code, without hyphens. It is wiped when dropped and not shown by Debug.
#[derive(PartialEq, Eq)]
pub struct RecoveryCode(Zeroizing<String>);

impl std::fmt::Debug for RecoveryCode {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("RecoveryCode(…)")
    }
}

impl RecoveryCode {
    /// Makes a code from a source of random bytes.
    pub fn generate<E>(
        mut fill: impl FnMut(&mut [u8]) -> Result<(), E>,
    ) -> Result<RecoveryCode, E> {
        let mut bytes = Zeroizing::new([0; RANDOM_LENGTH]);
        fill(&mut bytes[..])?;
        // All of the room at once: growing would leave copies of the secret behind.
        let mut text = Zeroizing::new(String::with_capacity(LENGTH));
        text.extend(bytes.iter().map(|byte| character(u32::from(*byte))));
        let checksum = checksum(&text);
        text.extend(checksum);
        Ok(RecoveryCode(text))
    }

    /// Reads a code as it was typed; None when the form or the checksum is wrong.
    pub fn parse(typed: &str) -> Option<RecoveryCode> {
        if typed.len() > 4 * LENGTH {
            return None;
        }
        let mut text = Zeroizing::new(String::with_capacity(LENGTH));
        for typed in typed.chars() {
            let character = match typed.to_ascii_uppercase() {
                '-' | ' ' => continue,
                'O' => '0',
                'I' | 'L' => '1',
                other => other,
            };
            if text.len() == LENGTH || !ALPHABET.iter().any(|known| char::from(*known) == character)
            {
                return None;
            }
            text.push(character);
        }
        let (body, end) = text.split_at_checked(RANDOM_LENGTH)?;
        end.chars().eq(checksum(body)).then_some(RecoveryCode(text))
    }

    /// The code in groups, to be shown once.
    pub fn text(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(LENGTH + LENGTH / GROUP));
        for (place, character) in self.0.chars().enumerate() {
            if place > 0 && place % GROUP == 0 {
                text.push('-');
            }
            text.push(character);
        }
        text
    }

    /// SHA-256 in 64 hexadecimal digits. A random 130-bit secret needs no slow hash.
    pub fn hash(&self) -> String {
        hex::encode(Sha256::digest(self.0.as_bytes()))
    }
}

fn checksum(body: &str) -> [char; 2] {
    let checksum = crc32fast::hash(body.as_bytes());
    [character(checksum >> 5), character(checksum)]
}

/// The character of the lowest five bits.
fn character(bits: u32) -> char {
    char::from(ALPHABET[(bits % 32) as usize])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    fn code() -> RecoveryCode {
        RecoveryCode::generate(getrandom::fill).expect("random bytes")
    }

    #[test]
    fn a_code_has_seven_groups_of_four() {
        let text = code().text();
        assert_eq!(text.len(), 34);
        assert_eq!(text.split('-').map(str::len).collect::<Vec<_>>(), [4; 7]);
        assert_eq!(text.capacity(), 35, "it never grew");
        assert_eq!(code().hash().len(), 64);
        assert!(RecoveryCode::generate(|_| Err(())).is_err());
    }

    #[test]
    fn every_character_comes_up() {
        let seen: HashSet<char> = (0..100)
            .flat_map(|_| code().0.chars().collect::<Vec<_>>())
            .collect();
        assert_eq!(seen.len(), ALPHABET.len());
    }

    #[test]
    fn it_is_read_as_people_type_it() {
        let code = RecoveryCode::generate(|bytes| {
            bytes
                .iter_mut()
                .zip(0..)
                .for_each(|(byte, place)| *byte = place % 2);
            Ok::<(), ()>(())
        })
        .expect("a code");
        let text = code.text();
        assert!(text.starts_with("0101-0101-"), "{}", *text);
        let typings = [
            text.to_string(),
            text.replace('-', ""),
            text.replace('-', " "),
            text.to_lowercase(),
            text.replace("01", "Ol"),
            text.replace("01", "oI"),
        ];
        for typed in typings {
            assert_eq!(RecoveryCode::parse(&typed).as_ref(), Some(&code), "{typed}");
        }
    }

    #[test]
    fn debug_does_not_show_it() {
        let code = code();
        assert!(!format!("{code:?}").contains(&code.text()[..4]));
    }

    proptest! {
        #[test]
        fn one_wrong_character_is_mostly_noticed(place in 0usize..28, shift in 1usize..32) {
            let code = code();
            let mut wrong = code.0.to_string().into_bytes();
            let at = ALPHABET.iter().position(|known| *known == wrong[place]).expect("its letter");
            wrong[place] = ALPHABET[(at + shift) % 32];
            let wrong = String::from_utf8(wrong).expect("ASCII");
            // Ten bits of checksum let one typing error in a thousand through, to the look-up.
            prop_assert_ne!(RecoveryCode::parse(&wrong), Some(code));
        }

        #[test]
        fn any_text_is_read_without_panic(text in ".{0,60}") {
            RecoveryCode::parse(&text);
        }

        #[test]
        fn a_code_comes_back(seed: [u8; 26]) {
            let code = RecoveryCode::generate(|bytes| { bytes.copy_from_slice(&seed); Ok::<(), ()>(()) }).expect("a code");
            prop_assert_eq!(RecoveryCode::parse(&code.text()), Some(code));
        }
    }
}
