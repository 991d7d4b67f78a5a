//! The rules of a run.

use std::collections::BTreeSet;

use serde_json::{json, Value};

use crate::analysis::sarif::standard::uri;
use crate::analysis::sarif::standard::words::RULE_PROPERTIES;
use crate::analysis::sarif::value::{put, put_some, Object};

/// The descriptor of a rule, without its tags. `kept` is what the metadata of a finding says of it.
pub fn descriptor(result_id: &str, kept: Option<&Object>) -> Object {
    let text = |key: &str| kept?.get(key)?.as_str();
    let mut rule = Object::new();
    rule.insert("id".to_owned(), text("id").unwrap_or(result_id).into());
    put_some(&mut rule, "name", text("name"));
    let short = text("shortDescription").filter(|text| !text.is_empty());
    let short = short.map(|text| json!({"text": text}));
    put_some(&mut rule, "shortDescription", short);
    put_some(&mut rule, "helpUri", uri::absolute(text("helpUri")));
    let mut properties = Object::new();
    if let Some(kept) = kept.and_then(|kept| kept.get("properties")?.as_object()) {
        for key in RULE_PROPERTIES {
            put_some(&mut properties, key, kept.get(key).cloned());
        }
    }
    put(&mut rule, "properties", properties);
    rule
}

pub struct RuleDraft<'f> {
    descriptor: Object,
    /// Tags that all findings of the rule have: those are the rule's.
    pub tags: BTreeSet<&'f str>,
}

impl<'f> RuleDraft<'f> {
    pub fn new(descriptor: Object, tags: &BTreeSet<&'f str>) -> Self {
        RuleDraft {
            descriptor,
            tags: tags.clone(),
        }
    }

    pub fn finish(mut self) -> Value {
        if !self.tags.is_empty() {
            let tags: Vec<&str> = self.tags.into_iter().collect();
            let properties = self
                .descriptor
                .entry("properties")
                .or_insert_with(|| Value::Object(Object::new()));
            if let Value::Object(properties) = properties {
                put(properties, "tags", tags);
            }
        }
        Value::Object(self.descriptor)
    }
}
