//! What must hold for a body before it is parsed.

/// GitHub sends nothing larger.
pub const MOST_BYTES: usize = 25 * 1024 * 1024;

/// Levels of nesting; GitHub's payloads have ten.
pub const DEEPEST: usize = 64;

/// The body as text, which may still be no JSON.
pub fn check(body: &[u8]) -> Result<&str, &'static str> {
    if body.len() > MOST_BYTES {
        return Err("it is larger than 25 MB");
    }
    if is_too_deep(body) {
        return Err("it is nested more than 64 levels deep");
    }
    std::str::from_utf8(body).map_err(|_| "it is not UTF-8")
}

/// Counts brackets outside of strings: in what is no JSON the number means nothing, but is bounded all the same.
fn is_too_deep(body: &[u8]) -> bool {
    let mut depth = 0_usize;
    let mut in_string = false;
    let mut bytes = body.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => in_string = !in_string,
            b'\\' if in_string => {
                bytes.next();
            }
            b'[' | b'{' if !in_string => {
                depth += 1;
                if depth > DEEPEST {
                    return true;
                }
            }
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{json, Value};

    fn depth(value: &Value) -> usize {
        match value {
            Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
            Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
            _ => 0,
        }
    }

    fn nested(levels: usize) -> Value {
        (0..levels).fold(json!("[{\\\""), |inner, level| {
            if level % 2 == 0 {
                json!([inner])
            } else {
                json!({ "a\"[{": inner })
            }
        })
    }

    proptest! {
        #[test]
        fn depth_is_counted_as_a_parser_does(levels in 0..100_usize) {
            let value = nested(levels);
            prop_assert_eq!(depth(&value), levels);
            prop_assert_eq!(is_too_deep(value.to_string().as_bytes()), levels > DEEPEST);
        }
    }

    #[test]
    fn limits() {
        assert!(check(&vec![b' '; MOST_BYTES]).is_ok());
        assert!(check(&vec![b' '; MOST_BYTES + 1]).is_err());
        assert!(check(b"\"\xff\"").is_err());
        assert!(check(&[b'['; DEEPEST]).is_ok());
        assert!(check(&vec![b'['; 1_000_000]).is_err());
        assert!(check(b"\"\\").is_ok(), "an escape at the end");
    }
}
