//! The location of a finding.

use serde_json::Value;

use crate::analysis::sarif::finding::NO_LOCATION;
use crate::analysis::sarif::standard::uri;
use crate::analysis::sarif::value::{put, put_some, Object};

/// The location that the reader splits into columns and remainder.
pub fn join(
    file_path: &str,
    lines: (Option<i32>, Option<i32>),
    code_snippet: Option<&str>,
    remainder: &Object,
) -> Object {
    let mut location = remainder.clone();
    let base_id = location.remove("uriBaseId");
    location.remove("baseUri");
    let region = location.remove("region");
    let context = location.remove("contextRegion");
    let mut physical = Object::new();
    if file_path != NO_LOCATION {
        let mut artifact = Object::new();
        put(&mut artifact, "uri", uri::from_path(file_path));
        put_some(&mut artifact, "uriBaseId", base_id);
        put(&mut physical, "artifactLocation", artifact);
        let mut region = match region {
            Some(Value::Object(region)) => region,
            _ => Object::new(),
        };
        put_some(&mut region, "startLine", lines.0);
        put_some(&mut region, "endLine", lines.0.and(lines.1));
        if let Some(text) = code_snippet {
            let snippet = region
                .entry("snippet")
                .or_insert_with(|| Value::Object(Object::new()));
            if let Some(snippet) = snippet.as_object_mut() {
                put(snippet, "text", text);
            }
        }
        put(&mut physical, "region", region);
        put_some(&mut physical, "contextRegion", context);
    }
    put(&mut location, "physicalLocation", physical);
    location
}
