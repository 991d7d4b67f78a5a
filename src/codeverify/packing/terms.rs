//! What a tsquery needs of a segment before any of its rows can match.
//!
//! It is read from the text that the server prints: words in quotes with their weights, `!`, `<->` or `<2>`, `&`, `|`
//! and parentheses, from what binds most to what binds least.

/// A part of a tsquery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Terms {
    Word(String),
    /// Nothing can be said beforehand: a prefix, a negation.
    Unknown,
    All(Vec<Terms>),
    Any(Vec<Terms>),
}

impl Terms {
    /// None for an empty query, which matches nothing, and for what is no tsquery.
    pub fn read(query: &str) -> Option<Terms> {
        let mut reader = Reader {
            rest: query,
            depth: 0,
        };
        let terms = reader.any()?;
        reader.skip_spaces();
        reader.rest.is_empty().then_some(terms)
    }

    /// Whether rows may match where only some words are.
    pub fn may_match(&self, may_have: &impl Fn(&str) -> bool) -> bool {
        match self {
            Terms::Word(word) => may_have(word),
            Terms::Unknown => true,
            Terms::All(parts) => parts.iter().all(|part| part.may_match(may_have)),
            Terms::Any(parts) => parts.iter().any(|part| part.may_match(may_have)),
        }
    }
}

/// Deeper than this nobody asks, and a stack has an end.
const MAX_DEPTH: usize = 200;

struct Reader<'a> {
    rest: &'a str,
    depth: usize,
}

impl Reader<'_> {
    fn any(&mut self) -> Option<Terms> {
        self.list("|", Reader::all, Terms::Any)
    }

    fn all(&mut self) -> Option<Terms> {
        self.list("&", Reader::phrase, Terms::All)
    }

    fn list(
        &mut self,
        separator: &str,
        mut part: impl FnMut(&mut Self) -> Option<Terms>,
        make: fn(Vec<Terms>) -> Terms,
    ) -> Option<Terms> {
        let mut parts = vec![part(self)?];
        while self.take(separator) {
            parts.push(part(self)?);
        }
        Some(if parts.len() == 1 {
            parts.swap_remove(0)
        } else {
            make(parts)
        })
    }

    /// Words of a phrase are all there.
    fn phrase(&mut self) -> Option<Terms> {
        let mut parts = vec![self.unary()?];
        while self.take("<") {
            let end = self.rest.find('>')?;
            let (distance, rest) = self.rest.split_at(end);
            if distance != "-" && !distance.bytes().all(|byte| byte.is_ascii_digit()) {
                return None;
            }
            self.rest = rest.strip_prefix('>')?;
            parts.push(self.unary()?);
        }
        Some(if parts.len() == 1 {
            parts.swap_remove(0)
        } else {
            Terms::All(parts)
        })
    }

    fn unary(&mut self) -> Option<Terms> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return None;
        }
        let terms = if self.take("!") {
            self.unary()?;
            Terms::Unknown
        } else if self.take("(") {
            let inner = self.any()?;
            if !self.take(")") {
                return None;
            }
            inner
        } else {
            self.word()?
        };
        self.depth -= 1;
        Some(terms)
    }

    fn word(&mut self) -> Option<Terms> {
        if !self.take("'") {
            return None;
        }
        let mut word = String::new();
        let mut characters = self.rest.char_indices();
        let end = loop {
            let (place, character) = characters.next()?;
            match character {
                // Both are doubled where they are part of a word.
                '\'' if self.rest.get(place + 1..)?.starts_with('\'') => {
                    characters.next();
                    word.push('\'');
                }
                '\\' => word.push(characters.next()?.1),
                '\'' => break place + 1,
                _ => word.push(character),
            }
        };
        self.rest = self.rest.get(end..)?;
        let mut is_prefix = false;
        if let Some(rest) = self.rest.strip_prefix(':') {
            let length = rest
                .bytes()
                .take_while(|byte| b"*ABCDabcd".contains(byte))
                .count();
            let (marks, rest) = rest.split_at(length);
            is_prefix = marks.contains('*');
            self.rest = rest;
        }
        Some(if is_prefix {
            Terms::Unknown
        } else {
            Terms::Word(word)
        })
    }

    fn take(&mut self, token: &str) -> bool {
        self.skip_spaces();
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn skip_spaces(&mut self) {
        self.rest = self.rest.trim_start_matches(' ');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn may_match(query: &str, there: &[&str]) -> bool {
        Terms::read(query)
            .expect("a query")
            .may_match(&|word| there.contains(&word))
    }

    #[test]
    fn queries_as_the_server_prints_them_are_read() {
        assert!(may_match("'a' & 'b'", &["a", "b"]));
        assert!(!may_match("'a' & 'b'", &["a"]));
        assert!(may_match("'a' | 'b' & 'c'", &["a"]));
        assert!(!may_match("( 'a' | 'b' ) & 'c'", &["a"]));
        assert!(may_match("'a' & !'b'", &["a", "b"]));
        assert!(may_match("!( 'a' | 'b' )", &[]));
        assert!(!may_match("'a' <-> 'b' <12> 'c'", &["a", "b"]));
        assert!(may_match("'a':*", &[]));
        assert!(!may_match("'a':AB & 'b':*C", &[]));
        assert!(may_match("'it''s' & 'c:\\\\d'", &["it's", "c:\\d"]));
        assert!(may_match("'größer'", &["größer"]));
    }

    #[test]
    fn what_is_no_query_is_none() {
        for text in [
            "",
            "a",
            "'a",
            "'a' &",
            "'a' 'b'",
            "('a'",
            "'a' <x> 'b'",
            "'a' <-",
        ] {
            assert_eq!(Terms::read(text), None, "{text}");
        }
        assert_eq!(Terms::read(&"!".repeat(1_000_000)), None);
        assert_eq!(Terms::read(&"(".repeat(1_000_000)), None);
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "['a-c&|!<>() :*\\\\1-]{0,30}") {
            Terms::read(&text);
        }
    }
}
