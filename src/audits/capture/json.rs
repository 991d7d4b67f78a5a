//! Which JSON texts jsonb can hold: type json takes more.

/// Digits of a number beyond which it is kept as text. jsonb prints numbers without an exponent, so
/// 1e100000 would fill a page.
const MOST_DIGITS: usize = 1000;

/// Levels of nesting beyond which JSON is kept as text. Whatever reads entries later has a limit of its own.
pub const DEEPEST: usize = 64;

/// Whether a valid JSON text becomes jsonb without an error: no \u0000, no half of a surrogate pair, no
/// number out of reason, and not too deep.
pub fn fits_jsonb(text: &str) -> bool {
    let bytes = text.as_bytes();
    let mut depth = 0usize;
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'"' => match end_of_string(bytes, at + 1) {
                Some(end) => at = end,
                None => return false,
            },
            b'-' | b'0'..=b'9' => {
                let length = bytes[at..]
                    .iter()
                    .take_while(|byte| {
                        matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E')
                    })
                    .count();
                if !is_reasonable(&text[at..at + length]) {
                    return false;
                }
                at += length;
            }
            b'[' | b'{' if depth >= DEEPEST => return false,
            b'[' | b'{' => {
                depth += 1;
                at += 1;
            }
            b']' | b'}' => {
                depth = depth.saturating_sub(1);
                at += 1;
            }
            _ => at += 1,
        }
    }
    true
}

fn is_reasonable(number: &str) -> bool {
    let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    mantissa.len() <= MOST_DIGITS
        && exponent
            .parse::<i64>()
            .is_ok_and(|exponent| exponent.unsigned_abs() <= MOST_DIGITS as u64)
}

/// The place behind the closing quote; None when jsonb cannot hold the string.
fn end_of_string(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match bytes.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' if bytes.get(at + 1) == Some(&b'u') => {
                let unit = code_unit(bytes, at)?;
                at += 6;
                match unit {
                    0 | 0xdc00..=0xdfff => return None,
                    0xd800..=0xdbff => {
                        if !matches!(code_unit(bytes, at)?, 0xdc00..=0xdfff) {
                            return None;
                        }
                        at += 6;
                    }
                    _ => {}
                }
            }
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

/// The sixteen bits of \uXXXX at this place.
fn code_unit(bytes: &[u8], at: usize) -> Option<u16> {
    let escape = bytes.get(at..at + 6)?;
    let digits = escape.strip_prefix(b"\\u")?;
    u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::{fits_jsonb, DEEPEST};

    #[test]
    fn what_jsonb_can_hold() {
        for text in [
            "null",
            "{}",
            r#"{"a": [1, -2.5e10, true, "x\"y\\"]}"#,
            r#""\u00e9""#,
            r#""\ud83d\ude00""#,
            r#""\\u0000""#,
            "12345678901234567890.000000000000000000001",
        ] {
            assert!(fits_jsonb(text), "{text}");
        }
    }

    #[test]
    fn what_it_cannot() {
        for text in [
            r#""\u0000""#,
            r#"{"\u0000": 1}"#,
            r#""\ud83d""#,
            r#""\ud83dx""#,
            r#""\ude00""#,
            r#""\ud83d\u0041""#,
            "1e100000",
            "[1e-100000]",
            "1e99999999999999999999",
        ] {
            assert!(!fits_jsonb(text), "{text}");
        }
        assert!(!fits_jsonb(&"9".repeat(200_000)));
        assert!(fits_jsonb(&format!(
            "{}{}",
            "[".repeat(DEEPEST),
            "]".repeat(DEEPEST)
        )));
        assert!(!fits_jsonb(&"{\"a\":".repeat(DEEPEST + 1)));
    }
}
