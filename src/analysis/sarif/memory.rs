//! How much memory a log would take once it is read.

/// What an object takes beside its members' texts: a node of the map has room for eleven.
const OBJECT: usize = 640;
/// What any other value takes.
const VALUE: usize = 40;

/// An upper estimate, in bytes, of what `serde_json::Value` takes for a JSON text. Objects of one
/// member are what makes a small log large: seven bytes of text become hundreds.
pub fn estimate(text: &str) -> usize {
    let mut in_string = false;
    let mut escaped = false;
    let mut size = text.len();
    for byte in text.bytes() {
        if in_string {
            in_string = escaped || byte != b'"';
            escaped = !escaped && byte == b'\\';
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'{' => size += OBJECT,
            b'[' | b',' => size += VALUE,
            _ => {}
        }
    }
    size
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_weigh_more_than_their_text() {
        let many = format!("[{}]", vec![r#"{"":0}"#; 1000].join(","));
        assert!(estimate(&many) > 1000 * OBJECT);
        assert!(estimate(&many) < 1000 * (OBJECT + VALUE + 8) + 100);
    }

    #[test]
    fn braces_inside_strings_are_text() {
        let quoted = r#""{[,\"{{{\\""#;
        assert_eq!(estimate(quoted), quoted.len());
        let after = r#"["\\",{}]"#;
        assert_eq!(estimate(after), after.len() + 2 * VALUE + OBJECT);
    }

    #[test]
    fn real_logs_stay_far_below_the_bound() {
        let log = std::fs::read_to_string(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/data/sarif/bandit-django-4.2.16.sarif"
        ))
        .expect("a test file");
        assert!(
            estimate(&log) < 8 * log.len(),
            "{}",
            estimate(&log) / log.len()
        );
    }
}
