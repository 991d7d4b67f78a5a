//! Patterns of LIKE, without regard to case: a secret is one however its column's name is written.

/// Whether all of `text` matches: `%` is any sequence, `_` any character, `\` takes the next one as it is.
pub fn matches(pattern: &str, text: &str) -> bool {
    let pattern = parse(pattern);
    let text: Vec<char> = text.chars().flat_map(char::to_lowercase).collect();
    let (mut at_pattern, mut at_text) = (0, 0);
    // Where to go on when what follows the last % does not match here: there, one character later.
    let mut retry: Option<(usize, usize)> = None;
    while at_text < text.len() {
        match pattern.get(at_pattern) {
            Some(Part::Any) => {
                at_pattern += 1;
                retry = Some((at_pattern, at_text));
            }
            Some(part) if part.takes(text[at_text]) => {
                at_pattern += 1;
                at_text += 1;
            }
            _ => {
                let Some((after_any, from)) = retry else {
                    return false;
                };
                at_pattern = after_any;
                at_text = from + 1;
                retry = Some((after_any, at_text));
            }
        }
    }
    pattern[at_pattern..].iter().all(|part| *part == Part::Any)
}

#[derive(Clone, Copy, PartialEq)]
enum Part {
    Any,
    One,
    Exactly(char),
}

impl Part {
    fn takes(self, character: char) -> bool {
        match self {
            Part::Any => false,
            Part::One => true,
            Part::Exactly(wanted) => wanted == character,
        }
    }
}

fn parse(pattern: &str) -> Vec<Part> {
    let mut parts = Vec::with_capacity(pattern.len());
    let mut characters = pattern.chars().flat_map(char::to_lowercase);
    while let Some(character) = characters.next() {
        parts.push(match character {
            '%' => Part::Any,
            '_' => Part::One,
            '\\' => Part::Exactly(characters.next().unwrap_or('\\')),
            other => Part::Exactly(other),
        });
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn patterns_match_as_like_does() {
        for (pattern, text, expected) in [
            ("", "", true),
            ("", "a", false),
            ("%", "", true),
            ("%", "anything", true),
            ("_", "", false),
            ("_", "é", true),
            ("abc", "abc", true),
            ("abc", "abcd", false),
            ("%password%", "old_password_hash", true),
            ("%password%", "pass_word", false),
            ("%\\_token", "access_token", true),
            ("%\\_token", "accessxtoken", false),
            ("%\\_token", "token", false),
            ("%a%b", "xaxbxb", true),
            ("%a%b", "xaxbxc", false),
            ("a\\%", "a%", true),
            ("a\\%", "ab", false),
            ("a\\", "a\\", true),
            ("%Secret%", "CLIENT_SECRET", true),
            ("auth.users", "auth.users", true),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }

    /// The definition, as a recursion.
    fn slow(pattern: &[Part], text: &[char]) -> bool {
        match (pattern.first(), text.first()) {
            (None, None) => true,
            (Some(Part::Any), _) => {
                slow(&pattern[1..], text) || !text.is_empty() && slow(pattern, &text[1..])
            }
            (Some(part), Some(character)) => {
                part.takes(*character) && slow(&pattern[1..], &text[1..])
            }
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn the_loop_agrees_with_the_definition(pattern in "[ab%_]{0,8}", text in "[ab]{0,8}") {
            let characters: Vec<char> = text.chars().collect();
            prop_assert_eq!(matches(&pattern, &text), slow(&parse(&pattern), &characters));
        }
    }
}
