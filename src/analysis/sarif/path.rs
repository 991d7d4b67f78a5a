//! The way from the root of a log to a value, rendered only when an error needs it.

use std::fmt;

use super::error::SarifError;

/// A JSONPath as a list that grows on the stack of the reader.
#[derive(Debug, Clone, Copy)]
pub enum Path<'a> {
    Root,
    Key(&'a Path<'a>, &'a str),
    Index(&'a Path<'a>, usize),
}

impl<'a> Path<'a> {
    pub fn key(&'a self, key: &'a str) -> Path<'a> {
        Path::Key(self, key)
    }

    pub fn index(&'a self, index: usize) -> Path<'a> {
        Path::Index(self, index)
    }

    pub fn error(&self, problem: impl Into<String>) -> SarifError {
        SarifError {
            path: self.to_string(),
            problem: problem.into(),
        }
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Path::Root => f.write_str("$"),
            Path::Index(parent, index) => write!(f, "{parent}[{index}]"),
            Path::Key(parent, key) if is_identifier(key) => write!(f, "{parent}.{key}"),
            Path::Key(parent, key) => write!(f, "{parent}['{}']", escape(key)),
        }
    }
}

fn is_identifier(key: &str) -> bool {
    let mut bytes = key.bytes();
    bytes
        .next()
        .is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// A key between quotes: control characters and quotes escaped, overlong keys cut.
fn escape(key: &str) -> String {
    const LONGEST: usize = 100;
    let mut escaped = String::new();
    for (position, c) in key.chars().enumerate() {
        if position == LONGEST {
            escaped.push('…');
            break;
        }
        match c {
            '\'' | '\\' => {
                escaped.push('\\');
                escaped.push(c);
            }
            c if c.is_control() => escaped.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn renders_json_path() {
        let runs = Path::Root.key("runs");
        let run = runs.index(0);
        let odd = run.key("it's\u{0}");
        assert_eq!(odd.to_string(), r"$.runs[0]['it\'s\u0000']");
        assert_eq!(run.key("a_1").to_string(), "$.runs[0].a_1");
        assert_eq!(run.key("1a").to_string(), "$.runs[0]['1a']");
        assert!(run.key(&"é".repeat(1000)).to_string().chars().count() < 120);
    }
}
