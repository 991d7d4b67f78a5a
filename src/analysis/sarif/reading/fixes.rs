//! Fixes: what they suggest, and their changes as a diff for people to read.

use serde_json::Value;

use crate::analysis::sarif::standard::uri;

/// Suggestion and diff of the first of the tidied fixes; the others are alternatives to it.
pub fn columns(fixes: &[Value]) -> (Option<String>, Option<String>) {
    let Some(fix) = fixes.first() else {
        return (None, None);
    };
    let suggestion = text(fix, "/description/text").map(str::to_owned);
    let changes = items(fix, "artifactChanges");
    let diff: String = changes.iter().map(file_diff).collect();
    (suggestion, Some(diff).filter(|diff| !diff.is_empty()))
}

fn text<'v>(value: &'v Value, pointer: &str) -> Option<&'v str> {
    value
        .pointer(pointer)?
        .as_str()
        .filter(|text| !text.is_empty())
}

fn items<'v>(value: &'v Value, key: &str) -> &'v [Value] {
    value
        .get(key)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

fn file_diff(change: &Value) -> String {
    let path = text(change, "/artifactLocation/uri").map(uri::to_path);
    let path = path.as_deref().unwrap_or("(unknown file)");
    let mut diff = if path.starts_with('/') {
        format!("--- {path}\n+++ {path}\n")
    } else {
        format!("--- a/{path}\n+++ b/{path}\n")
    };
    let mut shift = 0;
    for replacement in items(change, "replacements") {
        diff.push_str(&hunk(replacement, &mut shift));
    }
    diff
}

/// One replacement. Only the inserted text is certain to be in a log: the deleted lines are
/// shown where their snippet is given, and columns are named where only a part of a line goes.
fn hunk(replacement: &Value, shift: &mut i64) -> String {
    let region = replacement.get("deletedRegion");
    let number = |key: &str| region?.get(key)?.as_i64();
    let inserted = match replacement.get("insertedContent") {
        Some(content) => match (text(content, "/text"), content.get("binary")) {
            (Some(text), _) => text,
            (None, Some(_)) => "(binary content)",
            (None, None) => "",
        },
        None => "",
    };
    let added = inserted.lines().count() as i64;
    let mut hunk = match number("startLine") {
        None => {
            let (unit, start, length) = match number("charOffset") {
                Some(start) => ("characters", start, number("charLength")),
                None => (
                    "bytes",
                    number("byteOffset").unwrap_or(0),
                    number("byteLength"),
                ),
            };
            format!(
                "@@ {length} {unit} from {start} @@\n",
                length = length.unwrap_or(0)
            )
        }
        Some(start) => {
            let end = number("endLine").unwrap_or(start).max(start);
            let columns = (number("startColumn"), number("endColumn"));
            let insertion = start == end && columns.0.is_some() && columns.0 == columns.1;
            let removed = if insertion { 0 } else { end - start + 1 };
            let header = format!(
                "@@ -{start},{removed} +{moved},{added} @@",
                moved = start + *shift
            );
            *shift += added - removed;
            match columns {
                (None, None) => format!("{header}\n"),
                (from, Some(to)) => format!("{header} columns {}-{to}\n", from.unwrap_or(1)),
                (Some(from), None) => format!("{header} from column {from}\n"),
            }
        }
    };
    let deleted = region.and_then(|region| text(region, "/snippet/text"));
    for (sign, lines) in [('-', deleted.unwrap_or("")), ('+', inserted)] {
        for line in lines.lines() {
            hunk.push(sign);
            hunk.push_str(line);
            hunk.push('\n');
        }
    }
    hunk
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn reads_as_a_diff() {
        let fixes = [
            json!({
                "description": {"text": "Use sha256"},
                "artifactChanges": [
                    {"artifactLocation": {"uri": "a%20b.py"}, "replacements": [
                        {"deletedRegion": {"startLine": 3, "endLine": 4,
                                           "snippet": {"text": "old 1\nold 2\n"}},
                         "insertedContent": {"text": "new\n"}},
                        {"deletedRegion": {"startLine": 9, "startColumn": 2, "endColumn": 5},
                         "insertedContent": {"text": "x"}},
                        {"deletedRegion": {"startLine": 12, "startColumn": 1, "endColumn": 1},
                         "insertedContent": {"text": "one\ntwo\n"}},
                        {"deletedRegion": {"startLine": 20, "startColumn": 4}},
                    ]},
                    {"artifactLocation": {"uri": "/abs.bin"}, "replacements": [
                        {"deletedRegion": {"charOffset": 10, "charLength": 2}},
                        {"deletedRegion": {"byteOffset": 10},
                         "insertedContent": {"binary": "AAAA"}},
                    ]},
                ],
            }),
            json!({"description": {"text": "Or md5"}}),
        ];
        let (suggestion, diff) = columns(&fixes);
        assert_eq!(suggestion.as_deref(), Some("Use sha256"));
        let wanted = "\
--- a/a b.py
+++ b/a b.py
@@ -3,2 +3,1 @@
-old 1
-old 2
+new
@@ -9,1 +8,1 @@ columns 2-5
+x
@@ -12,0 +11,2 @@ columns 1-1
+one
+two
@@ -20,1 +21,0 @@ from column 4
--- /abs.bin
+++ /abs.bin
@@ 2 characters from 10 @@
@@ 0 bytes from 10 @@
+(binary content)
";
        assert_eq!(diff.as_deref(), Some(wanted));
        assert_eq!(columns(&[]), (None, None));
    }
}
