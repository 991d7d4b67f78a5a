//! The taxa of results, and the taxonomies of a run.

use std::collections::BTreeSet;

use serde_json::{json, Value};

use crate::analysis::sarif::value::{put, put_some, texts, Object};

const CWE: &str = "CWE";
const OWASP: &str = "OWASP";

/// GUIDs by which the taxonomies of a written log are found; other taxonomies are only named.
pub fn guid(taxonomy: &str) -> Option<&'static str> {
    match taxonomy {
        CWE => Some("2b841697-d0be-4009-9f19-fa2ba9a1cd54"),
        OWASP => Some("68ae4d37-1b5c-4d6e-a0e3-61aef2a4b61c"),
        _ => None,
    }
}

/// What a finding's metadata says it belongs to: a taxonomy's name and a taxon's id.
pub fn taxa<'f>(metadata: &'f Value, kept: Option<&'f Value>) -> BTreeSet<(&'f str, &'f str)> {
    let cwe = texts(metadata.get("cwe"))
        .filter_map(|name| name.strip_prefix("CWE-"))
        .map(|number| (CWE, number));
    let owasp = texts(metadata.get("owasp")).map(|entry| (OWASP, entry));
    let others = kept.and_then(Value::as_array).into_iter().flatten();
    let others = others.filter_map(|taxon| {
        let text = |key: &str| taxon.get(key)?.as_str().filter(|text| !text.is_empty());
        Some((text("taxonomy")?, text("id")?))
    });
    cwe.chain(owasp).chain(others).collect()
}

/// An element of `result.taxa`.
pub fn reference((taxonomy, id): (&str, &str)) -> Value {
    json!({"id": id, "toolComponent": named(taxonomy)})
}

/// An element of `run.taxonomies`.
pub fn taxonomy((name, ids): (&str, BTreeSet<&str>)) -> Value {
    let mut taxonomy = named(name);
    let taxa: Vec<Value> = ids.into_iter().map(|id| json!({"id": id})).collect();
    put(&mut taxonomy, "taxa", taxa);
    Value::Object(taxonomy)
}

fn named(taxonomy: &str) -> Object {
    let mut component = Object::new();
    put(&mut component, "name", taxonomy);
    put_some(&mut component, "guid", guid(taxonomy));
    component
}
