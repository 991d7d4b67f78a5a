//! The one form in which mail addresses are stored and compared.
//!
//! White space around it is dropped, compatibility forms are made plain (NFKC: a full-width `＠` is `@`), and
//! upper case is made lower. A domain in Unicode and the same one in Punycode stay two addresses, as do
//! `a+b@…` and `a@…`: only the mail server knows what else it takes to be one mailbox.

use sha2::{Digest, Sha256};
use unicode_normalization::UnicodeNormalization;

/// As the column has it.
const MOST_CHARACTERS: usize = 320;
/// Longer texts are not even normalised. A character has four bytes at most, and white space may stand around.
const MOST_BYTES: usize = 4 * MOST_CHARACTERS + 64;

/// The form in which an address is stored and compared; None for a text that is no address.
pub fn normalise(text: &str) -> Option<String> {
    if text.len() > MOST_BYTES {
        return None;
    }
    // Lower case may need composing again (and what is composed has no upper case left).
    let address: String = text
        .trim()
        .nfkc()
        .flat_map(char::to_lowercase)
        .nfkc()
        .collect();
    // NFKC makes a few accents that stand alone into a space and an accent; inside, a space is refused below.
    is_address(&address).then_some(address)
}

/// What failed attempts are counted by: the address where the text is one, and else a name of the text, which
/// is no account's.
pub fn account(text: &str) -> String {
    normalise(text).unwrap_or_else(|| digest(text))
}

/// What stands for an address where it is not to be read: SHA-256 in hexadecimal digits.
pub fn digest(address: &str) -> String {
    hex::encode(Sha256::digest(address.as_bytes()))
}

/// Something, one `@`, and a domain of two labels or more; nothing in it that cannot be seen.
fn is_address(address: &str) -> bool {
    let Some((local, domain)) = address.split_once('@') else {
        return false;
    };
    let has_labels = domain
        .rsplit_once('.')
        .is_some_and(|(name, last)| !name.is_empty() && !last.is_empty());
    !local.is_empty()
        && has_labels
        && !domain.contains('@')
        && address.chars().count() <= MOST_CHARACTERS
        && !address.chars().any(is_unseen)
}

/// White space, control characters, and what has no width or turns the direction of writing: two addresses
/// that look alike are not to be told apart by those.
fn is_unseen(character: char) -> bool {
    character.is_whitespace()
        || character.is_control()
        || matches!(
            character,
            '\u{ad}'
                | '\u{34f}'
                | '\u{61c}'
                | '\u{115f}'..='\u{1160}'
                | '\u{17b4}'..='\u{17b5}'
                | '\u{180b}'..='\u{180f}'
                | '\u{200b}'..='\u{200f}'
                | '\u{202a}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{3164}'
                | '\u{fe00}'..='\u{fe0f}'
                | '\u{feff}'
                | '\u{ffa0}'
                | '\u{fff0}'..='\u{ffff}'
                | '\u{e0000}'..='\u{e0fff}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn spellings_of_one_address_are_one() {
        for spelling in [
            "ada@example.org",
            "ADA@Example.ORG",
            "  ada@example.org\t\n",
            "ａｄａ＠ｅｘａｍｐｌｅ．ｏｒｇ",
            "\u{a0}Ada@example.org\u{3000}",
        ] {
            assert_eq!(
                normalise(spelling).as_deref(),
                Some("ada@example.org"),
                "{spelling:?}"
            );
        }
        let composed = normalise("jos\u{e9}@example.org");
        assert!(composed.is_some());
        assert_eq!(normalise("JOSE\u{301}@example.org"), composed);
        // In upper case the accent is composed, in lower case it is not, until it is composed again.
        assert_eq!(normalise("ΟΔΟΣ@example.org"), normalise("οδοσ@example.org"));
    }

    #[test]
    fn addresses_that_differ_stay_apart() {
        assert_ne!(normalise("ada+x@a.test"), normalise("ada@a.test"));
        assert_ne!(normalise("a.da@a.test"), normalise("ada@a.test"));
        assert_ne!(normalise("ada@a.test"), normalise("ad\u{430}@a.test"));
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            "@",
            "ada",
            "ada@",
            "ada@example",
            "ada@.org",
            "ada@example.",
            "@example.org",
            "a@b@c.org",
            "a@b＠c.org",
            "ada lovelace@example.org",
            "ada@exam ple.org",
            "ada\0@example.org",
            "ada\u{200b}@example.org",
            "ada\u{202e}@example.org",
            "ada\u{a8}@example.org",
            "\u{feff}ada@example.org",
        ] {
            assert_eq!(normalise(text), None, "{text:?}");
        }
        assert!(normalise(&format!("{}@example.org", "x".repeat(308))).is_some());
        assert_eq!(normalise(&format!("{}@example.org", "x".repeat(309))), None);
        assert_eq!(normalise(&"x@y.z ".repeat(100_000)), None);
        // One character that NFKC makes into eighteen.
        assert_eq!(
            normalise(&format!("{}@example.org", "\u{fdfa}".repeat(300))),
            None
        );
    }

    #[test]
    fn an_account_is_named_without_the_text_where_it_is_no_address() {
        assert_eq!(account(" Ada@a.test"), "ada@a.test");
        let named = account("my password, typed into the wrong field");
        assert_eq!(named.len(), 64);
        assert!(!named.contains('@'));
    }

    proptest! {
        #[test]
        fn a_normalised_address_is_normal(text in "\\PC{1,12}@\\PC{1,12}\\.\\PC{1,5}") {
            if let Some(address) = normalise(&text) {
                prop_assert_eq!(normalise(&address), Some(address.clone()));
                prop_assert!(address.chars().all(|c| c.to_lowercase().eq([c])));
                prop_assert_eq!(address.matches('@').count(), 1);
            }
        }

        #[test]
        fn the_case_makes_no_difference(text in "[a-zA-Zà-öø-þα-ω]{1,20}@[a-z]{1,9}\\.[a-z]{2,3}") {
            prop_assume!(!text.contains('ς'));
            prop_assert_eq!(normalise(&text.to_uppercase()), normalise(&text));
        }

        #[test]
        fn any_text_is_read_without_panic(text in ".*") {
            normalise(&text);
            account(&text);
        }
    }
}
