//! The tool of a run.

use crate::analysis::sarif::standard::uri;
use crate::analysis::sarif::value::{put, put_some, Object};

/// The tool of findings that no other tool reported.
pub const OWN_TOOL: &str = "codeverify";

/// The driver, without its rules. `kept` is what the metadata of a finding says of it; `version`
/// is that of [`OWN_TOOL`].
pub fn driver(kept: Option<&Object>, version: &str) -> Object {
    let text = |key: &str| kept?.get(key)?.as_str();
    let mut driver = Object::new();
    match text("name").filter(|name| !name.trim().is_empty()) {
        Some(name) => {
            put(&mut driver, "name", name);
            put_some(&mut driver, "version", text("version"));
        }
        None => {
            put(&mut driver, "name", OWN_TOOL);
            put(&mut driver, "version", version);
        }
    }
    let home = uri::absolute(text("informationUri"));
    put_some(&mut driver, "informationUri", home);
    driver
}
