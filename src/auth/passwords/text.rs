//! What people type as a password, and the form of it that is hashed.
//!
//! The form is that of RFC 8265, OpaqueString: spaces of any kind are the ASCII one, and characters are
//! composed (NFC), since a keyboard may send `é` as one character or as two. Case, width and what stands at
//! the ends are left alone. (NFKC would make different passwords the same; RFC 8265 says not to.)

use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

const LEAST_CHARACTERS: usize = 8;
const MOST_CHARACTERS: usize = 1024;
/// Longer texts are not even normalised: what is typed may have three characters where NFC has one.
const MOST_TYPED_BYTES: usize = 16 * MOST_CHARACTERS;

/// Why a text cannot be set as a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    TooShort,
    TooLong,
    ControlCharacters,
}

impl Unfit {
    pub fn name(self) -> &'static str {
        match self {
            Unfit::TooShort => "too_short",
            Unfit::TooLong => "too_long",
            Unfit::ControlCharacters => "control_characters",
        }
    }
}

/// A password in the form that is hashed. It is wiped when dropped, and not shown by Debug.
pub struct Prepared(Zeroizing<String>);

impl std::fmt::Debug for Prepared {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Prepared(…)")
    }
}

impl Prepared {
    /// A password that was typed to be checked; None for one so long that none like it can have been set.
    pub fn to_check(typed: &str) -> Option<Prepared> {
        if typed.len() > MOST_TYPED_BYTES {
            return None;
        }
        // All of the room at once (NFC makes a text three times as long at most): growing would leave copies
        // of the secret behind.
        let mut text = Zeroizing::new(String::with_capacity(3 * typed.len()));
        text.extend(typed.chars().map(plain_space).nfc());
        Some(Prepared(text))
    }

    /// A password that is to be set.
    pub fn to_set(typed: &str) -> Result<Prepared, Unfit> {
        let prepared = Prepared::to_check(typed).ok_or(Unfit::TooLong)?;
        match prepared.0.chars().count() {
            ..LEAST_CHARACTERS => Err(Unfit::TooShort),
            LEAST_CHARACTERS..=MOST_CHARACTERS if prepared.0.chars().any(char::is_control) => {
                Err(Unfit::ControlCharacters)
            }
            LEAST_CHARACTERS..=MOST_CHARACTERS => Ok(prepared),
            _ => Err(Unfit::TooLong),
        }
    }

    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// The spaces of Unicode's category Zs, of which there are seventeen.
fn plain_space(character: char) -> char {
    match character {
        '\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}' => {
            ' '
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn form(typed: &str) -> Vec<u8> {
        Prepared::to_check(typed)
            .expect("short enough")
            .as_bytes()
            .to_vec()
    }

    #[test]
    fn the_examples_of_rfc_8265_are_followed() {
        assert_eq!(
            form("correct horse battery staple"),
            b"correct horse battery staple"
        );
        assert_ne!(
            form("Correct Horse Battery Staple"),
            form("correct horse battery staple")
        );
        assert_eq!(form("πßå"), "πßå".as_bytes());
        assert_eq!(form("Jack of \u{2666}s"), "Jack of \u{2666}s".as_bytes());
        assert_eq!(form("foo\u{1680}bar"), b"foo bar");
    }

    #[test]
    fn a_composed_character_is_the_same_as_its_parts() {
        assert_eq!(form("passw\u{f6}rd"), form("passwo\u{308}rd"));
        // Compatibility characters stay what they are.
        assert_ne!(form("ﬁnal-answer"), form("final-answer"));
        assert_ne!(form("ｗide"), form("wide"));
    }

    #[test]
    fn lengths_are_of_characters() {
        let set = |typed: &str| Prepared::to_set(typed).map(|_| ());
        assert_eq!(set(""), Err(Unfit::TooShort));
        assert_eq!(set("1234567"), Err(Unfit::TooShort));
        assert_eq!(set("12345678"), Ok(()));
        assert_eq!(set("ééééééé"), Err(Unfit::TooShort));
        assert_eq!(set("e\u{301}1234567"), Ok(()));
        assert_eq!(set("e\u{301}123456"), Err(Unfit::TooShort));
        assert_eq!(set(&"🔑".repeat(1024)), Ok(()));
        assert_eq!(set(&"x".repeat(1025)), Err(Unfit::TooLong));
        assert_eq!(set(&"x".repeat(1_000_000)), Err(Unfit::TooLong));
        assert_eq!(set("with\ttabulator"), Err(Unfit::ControlCharacters));
        assert!(Prepared::to_check(&"x".repeat(1_000_000)).is_none());
    }

    #[test]
    fn the_text_does_not_leak_through_debug() {
        let prepared = Prepared::to_check("hunter42 hunter42").expect("short enough");
        assert!(!format!("{prepared:?}").contains("hunter"));
    }

    proptest! {
        #[test]
        fn any_text_is_prepared_once_and_within_its_room(typed in ".{0,200}") {
            let prepared = Prepared::to_check(&typed).expect("short enough");
            prop_assert!(prepared.as_bytes().len() <= 3 * typed.len());
            let text = std::str::from_utf8(prepared.as_bytes()).expect("text");
            prop_assert_eq!(form(text), prepared.as_bytes());
            let _ = Prepared::to_set(&typed);
        }
    }
}
