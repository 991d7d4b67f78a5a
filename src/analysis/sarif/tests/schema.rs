//! What is written is valid against the JSON schema of SARIF 2.1.0. The schema is not part of
//! this repository: it comes in the source package of the crate serde-sarif, a dependency that
//! is downloaded but never compiled. SARIF_SCHEMA may name another copy.

use std::path::PathBuf;
use std::process::Command;
use std::sync::LazyLock;

use jsonschema::Validator;

use super::*;

static SCHEMA: LazyLock<Validator> = LazyLock::new(|| {
    let path = schema_path();
    let text = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut schema: Value = serde_json::from_str(&text).unwrap();
    correct(&mut schema);
    jsonschema::options()
        // The draft that knows the format of a URI reference, whatever the copy declares.
        .with_draft(jsonschema::Draft::Draft7)
        .should_validate_formats(true)
        .build(&schema)
        .unwrap()
});

/// Errata 01 of the standard: a pattern that is no regular expression, and regions that say
/// where they begin.
fn correct(schema: &mut Value) {
    let definitions = &mut schema["definitions"];
    for definition in ["run", "toolComponent"] {
        let language = &mut definitions[definition]["properties"]["language"];
        language["pattern"] = json!("^[a-zA-Z]{2}(-[a-zA-Z]{2})?$");
    }
    definitions["region"]["anyOf"] = json!([
        {"required": ["startLine"]},
        {"required": ["charOffset"]},
        {"required": ["byteOffset"]},
    ]);
}

fn schema_path() -> PathBuf {
    if let Some(path) = std::env::var_os("SARIF_SCHEMA") {
        return path.into();
    }
    // Without a network first: the package is there after the first time.
    let found = package_folder(&["--offline"]).or_else(|| package_folder(&[]));
    let found = found.expect("cargo metadata finds no serde-sarif: set SARIF_SCHEMA");
    found.join("src/schema.json")
}

fn package_folder(options: &[&str]) -> Option<PathBuf> {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--manifest-path"])
        .arg(manifest)
        .args(options)
        .output()
        .ok()?;
    let metadata: Value = serde_json::from_slice(&output.stdout).ok()?;
    let packages = metadata["packages"].as_array()?;
    let package = packages
        .iter()
        .find(|package| package["name"] == "serde-sarif")?;
    let manifest = PathBuf::from(package["manifest_path"].as_str()?);
    Some(manifest.parent()?.to_owned())
}

pub fn assert_valid(log: &Value) {
    let errors: Vec<String> = SCHEMA
        .iter_errors(log)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{errors:#?}");
}

#[test]
fn knows_what_is_invalid() {
    assert!(!SCHEMA.is_valid(&json!({"version": "2.1.0"})));
    assert!(!SCHEMA.is_valid(&log(json!([]), json!([{}]))));
    let spaced = json!([result(json!({"locations": at("not a uri")}))]);
    assert!(!SCHEMA.is_valid(&log(json!([]), spaced)));
    let mut full = full_log();
    // Two liberties the reader takes: null results, which the text of the standard allows, and
    // a space in a URI.
    full["runs"][1]["results"] = json!([]);
    let related = &mut full["runs"][0]["results"][0]["relatedLocations"][0];
    related["physicalLocation"]["artifactLocation"]["uri"] = json!("src/a%20b.py");
    assert_valid(&full);
}

#[test]
fn written_logs_are_valid() {
    assert_valid(&write(&[]));
    assert_valid(&write(&stored(&full_log())));
    for name in ["bandit-django-4.2.16", "bandit-flask-3.0.3"] {
        assert_valid(&write(&stored(&real_log(name))));
    }
    assert_valid(&write_log(&Analysis::default(), &[], &mut || {}));
}
