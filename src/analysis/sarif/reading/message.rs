//! The text of messages.

use serde_json::Value;

use crate::analysis::sarif::error::SarifError;
use crate::analysis::sarif::path::Path;
use crate::analysis::sarif::value::{as_object, member, object, string, strings, Object};

/// Longest text that placeholders may grow a message to, in bytes.
const LONGEST: usize = 1 << 20;

/// Longest title made of a message, in characters.
const TITLE: usize = 160;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    pub text: String,
    pub markdown: Option<String>,
}

/// A message in full: its own text, or the string its id names in one of the tables.
pub fn read(
    message: &Object,
    tables: &[Option<&Object>],
    path: &Path,
) -> Result<Message, SarifError> {
    let own = string(message, "text", path)?;
    let markdown = string(message, "markdown", path)?;
    let arguments = strings(message, "arguments", path)?;
    let id = string(message, "id", path)?;
    let (text, markdown, template) = match (own, id, markdown) {
        (Some(text), _, _) => (text, markdown, !arguments.is_empty()),
        (None, Some(id), _) => {
            let (text, rich) = look_up(id, tables, path)?;
            (text, markdown.or(rich), true)
        }
        (None, None, Some(markdown)) => (markdown, Some(markdown), !arguments.is_empty()),
        (None, None, None) => return Err(path.error("has neither text nor id")),
    };
    // Without arguments a text of its own is literal: few tools double their braces there.
    if !template {
        return Ok(Message {
            text: text.to_owned(),
            markdown: markdown.map(str::to_owned),
        });
    }
    Ok(Message {
        text: fill(text, &arguments, path)?,
        markdown: markdown
            .map(|markdown| fill(markdown, &arguments, path))
            .transpose()?,
    })
}

fn look_up<'v>(
    id: &str,
    tables: &[Option<&'v Object>],
    path: &Path,
) -> Result<(&'v str, Option<&'v str>), SarifError> {
    let path = path.key("id");
    let found = tables
        .iter()
        .flatten()
        .find_map(|table| member(table, id))
        .and_then(Value::as_object);
    let Some(found) = found else {
        let shown: String = id.chars().take(60).collect();
        return Err(path.error(format!("{shown:?} names no message string")));
    };
    let text = found.get("text").and_then(Value::as_str);
    let text = text.ok_or_else(|| path.error("names a message string without text"))?;
    Ok((text, found.get("markdown").and_then(Value::as_str)))
}

/// The message strings of a rule or a component, checked.
pub fn table<'v>(
    parent: &'v Object,
    key: &str,
    path: &Path,
) -> Result<Option<&'v Object>, SarifError> {
    let table = object(parent, key, path)?;
    let path = path.key(key);
    for (id, entry) in table.into_iter().flatten() {
        let path = path.key(id);
        let entry = as_object(entry, &path)?;
        string(entry, "text", &path)?;
        string(entry, "markdown", &path)?;
    }
    Ok(table)
}

/// Replaces `{n}` by the n-th argument and doubled braces by single ones. A placeholder without
/// an argument stays, so that nothing is lost.
fn fill(template: &str, arguments: &[&str], path: &Path) -> Result<String, SarifError> {
    let mut filled = String::with_capacity(template.len());
    let mut rest = template;
    while let Some(brace) = rest.find(['{', '}']) {
        filled.push_str(&rest[..brace]);
        rest = &rest[brace..];
        let placeholder = placeholder(rest, arguments);
        let (text, length) = match placeholder {
            Some(found) => found,
            None if rest.starts_with("{{") => ("{", 2),
            None if rest.starts_with("}}") => ("}", 2),
            None => (&rest[..1], 1),
        };
        filled.push_str(text);
        rest = &rest[length..];
        if filled.len() > LONGEST {
            return Err(path.error(format!("grows beyond {LONGEST} bytes")));
        }
    }
    filled.push_str(rest);
    Ok(filled)
}

/// The argument a text begins with a placeholder for, and the placeholder's length.
fn placeholder<'a>(text: &str, arguments: &[&'a str]) -> Option<(&'a str, usize)> {
    let inner = text.strip_prefix('{')?;
    let digits = inner.bytes().take_while(u8::is_ascii_digit).count();
    if !inner[digits..].starts_with('}') {
        return None;
    }
    let argument = arguments.get(inner[..digits].parse::<usize>().ok()?)?;
    Some((argument, digits + 2))
}

/// The first sentence of a text as a title: one line, no full stop, cut at a word if long.
pub fn headline(text: &str) -> Option<String> {
    let line = text.lines().map(str::trim).find(|line| !line.is_empty())?;
    let sentence = &line[..sentence_end(line)];
    let title = match sentence.strip_suffix('.') {
        Some(bare) if !bare.is_empty() && !bare.ends_with('.') => bare,
        _ => sentence,
    };
    let Some((limit, _)) = title.char_indices().nth(TITLE) else {
        return Some(title.to_owned());
    };
    let cut = &title[..limit];
    let cut = cut.rfind(' ').map_or(cut, |space| &cut[..space]);
    Some(format!("{}…", cut.trim_end_matches([' ', ',', ';', ':'])))
}

/// Where the first sentence ends: after a mark that a space and a capital follow.
fn sentence_end(line: &str) -> usize {
    let mut from = 0;
    while let Some(found) = line[from..].find(['.', '!', '?']) {
        let end = from + found + 1;
        let mut next = line[end..].chars();
        let spaced = next.next().is_some_and(char::is_whitespace);
        if spaced && next.next().is_some_and(char::is_uppercase) {
            return end;
        }
        from = end;
    }
    line.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read_with(message: Value, strings: Value) -> Result<Message, String> {
        let (message, strings) = (message.as_object().unwrap(), strings.as_object());
        read(message, &[None, strings], &Path::Root).map_err(|error| error.to_string())
    }

    fn text(message: Value) -> Result<String, String> {
        let strings = json!({"hi": {"text": "Hi {0} {{0}}", "markdown": "**{0}**"}, "bad": {}});
        read_with(message, strings).map(|message| message.text)
    }

    #[test]
    fn texts() {
        for (message, wanted) in [
            (json!({"text": "plain {0} {{x}}"}), "plain {0} {{x}}"),
            (
                json!({"text": "'{0}' on {1}, {0} {{0}} }}", "arguments": ["p", "7"]}),
                "'p' on 7, p {0} }",
            ),
            (
                json!({"text": "{2} {x} {} { {99999999999999999999}", "arguments": ["a"]}),
                "{2} {x} {} { {99999999999999999999}",
            ),
            (json!({"id": "hi", "arguments": ["you"]}), "Hi you {0}"),
            (json!({"id": "hi"}), "Hi {0} {0}"),
            (json!({"id": "none", "text": "own"}), "own"),
            (json!({"markdown": "*only*"}), "*only*"),
            (json!({"text": "{0}", "arguments": ["{1}", "x"]}), "{1}"),
        ] {
            assert_eq!(text(message), Ok(wanted.to_owned()));
        }
    }

    #[test]
    fn faults() {
        for (message, fault) in [
            (json!({}), "$: has neither text nor id"),
            (json!({"text": 1}), "$.text: must be a string, not a number"),
            (json!({"id": "x"}), "$.id: \"x\" names no message string"),
            (
                json!({"id": "bad"}),
                "$.id: names a message string without text",
            ),
            (
                json!({"text": "", "arguments": [1]}),
                "$.arguments[0]: must be a string, not a number",
            ),
            (
                json!({"text": "{0}".repeat(2000), "arguments": ["x".repeat(1000)]}),
                "$: grows beyond 1048576 bytes",
            ),
        ] {
            assert_eq!(text(message), Err(fault.to_owned()));
        }
    }

    #[test]
    fn markdown_comes_along() {
        let strings = json!({"hi": {"text": "Hi {0}", "markdown": "**{0}**"}});
        let message = read_with(json!({"id": "hi", "arguments": ["x"]}), strings).unwrap();
        assert_eq!(message.markdown.as_deref(), Some("**x**"));
    }

    #[test]
    fn headlines() {
        for (text, title) in [
            (
                "Use of assert detected. The code goes.",
                "Use of assert detected",
            ),
            (
                "\n  Try, Except, Pass detected.\nMore",
                "Try, Except, Pass detected",
            ),
            ("Uses e.g. md5 v1.2 here", "Uses e.g. md5 v1.2 here"),
            ("Wait...", "Wait..."),
            ("Really? Yes", "Really?"),
            (".", "."),
        ] {
            assert_eq!(headline(text).as_deref(), Some(title));
        }
        assert_eq!(headline(" \n\t"), None);
        let long = headline(&"word ".repeat(100)).unwrap();
        assert!(long.ends_with("word…") && long.chars().count() <= 161);
        assert_eq!(headline(&"é".repeat(500)).unwrap().chars().count(), 161);
    }
}
