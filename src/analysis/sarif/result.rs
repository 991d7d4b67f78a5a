//! A finding as a result.

use std::collections::BTreeSet;

use serde_json::{json, Value};

use super::fingerprint;
use super::location::{self, NO_LOCATION};
use super::overrides;
use super::path::Path;
use super::severity::{LEVELS, RULE_PROPERTIES};
use super::shape::{self, Shape};
use super::suppression;
use super::tidy::{tidy, tidy_record, Unlinked};
use super::uri;
use super::value::{put, put_some, Object};
use super::weakness::{CWE, OWASP};
use super::write::StoredFinding;

/// The tool of findings that no other tool reported.
const OWN_TOOL: &str = "codeverify";

/// A finding with what its metadata keeps for its result. Metadata is the user's to change, so
/// whatever is not as it was read is left out here; `overrides` restores it.
pub struct Draft<'f> {
    pub finding: &'f StoredFinding,
    pub sarif: Option<&'f Object>,
    /// The driver, without its rules.
    pub driver: Object,
    pub rule_id: Option<String>,
    /// The descriptor of the rule, without its tags.
    pub rule: Option<Object>,
    pub tags: BTreeSet<&'f str>,
    /// A taxonomy's name and a taxon's id.
    pub taxa: BTreeSet<(&'f str, &'f str)>,
    /// A base id and its absolute URI.
    pub base: Option<(&'f str, String)>,
}

impl<'f> Draft<'f> {
    pub fn of(finding: &'f StoredFinding, version: &str) -> Self {
        let sarif = finding.metadata.get("sarif").and_then(Value::as_object);
        let kept = |key: &str| sarif.and_then(|sarif| sarif.get(key));
        let tool = kept("tool").and_then(Value::as_object);
        let rule_id = match (sarif, kept("ruleId").and_then(Value::as_str)) {
            (_, Some(id)) => Some(id.to_owned()),
            (Some(_), None) => None,
            (None, None) => Some(format!("{OWN_TOOL}-{}", finding.category)),
        };
        let facts = kept("rule").and_then(Value::as_object);
        let rule = rule_id.as_deref().map(|id| descriptor(id, facts));
        let place = kept("location").and_then(Value::as_object);
        let base = place.and_then(|place| {
            let uri = place.get("baseUri")?.as_str()?;
            Some((place.get("uriBaseId")?.as_str()?, uri::tidy(uri)))
        });
        Draft {
            finding,
            sarif,
            driver: driver(tool, version),
            rule_id,
            rule,
            tags: texts(finding.metadata.get("tags")).collect(),
            taxa: taxa(&finding.metadata, kept("taxa")),
            base,
        }
    }

    /// Findings with the same key share a run.
    pub fn tool_key(&self) -> String {
        Value::Object(self.driver.clone()).to_string()
    }

    fn kept(&self, key: &str) -> Option<&'f Value> {
        self.sarif?.get(key)
    }

    /// A part of the metadata as far as it is valid.
    fn valid(&self, key: &str, shape: &Shape) -> Option<Value> {
        tidy(self.kept(key)?, shape, &Unlinked, &Path::Root).ok()?
    }

    fn valid_list(&self, key: &str, shape: &Shape) -> Vec<Value> {
        match self.valid(key, shape) {
            Some(Value::Array(items)) => items,
            _ => Vec::new(),
        }
    }

    /// The result. `shared` are the tags its rule has already.
    pub fn result(&self, rule_index: Option<usize>, shared: &BTreeSet<&str>) -> Object {
        let finding = self.finding;
        let mut result = Object::new();
        put_some(&mut result, "ruleId", self.rule_id.as_deref());
        put_some(&mut result, "ruleIndex", rule_index);
        put(&mut result, "level", self.level());
        let kind = self.kept("kind").and_then(Value::as_str);
        put_some(
            &mut result,
            "kind",
            kind.filter(|kind| KINDS.contains(kind)),
        );
        let state = self.kept("baselineState").and_then(Value::as_str);
        let state = state.filter(|state| BASELINE_STATES.contains(state));
        put_some(&mut result, "baselineState", state);
        put_some(&mut result, "rank", self.rank());
        put(&mut result, "message", self.message());
        put(&mut result, "locations", self.locations());
        for key in ["fingerprints", "partialFingerprints"] {
            let mut entries = self.kept(key).and_then(Value::as_object).cloned();
            if let Some(entries) = &mut entries {
                entries.retain(|name, value| name != fingerprint::KEY && value.is_string());
            }
            put_some(&mut result, key, entries);
        }
        let suppressions = suppression::suppressions(
            &self.valid_list("suppressions", &shape::SUPPRESSIONS),
            finding.dismissed,
            finding.dismissed_reason.as_deref(),
        );
        put(&mut result, "suppressions", suppressions);
        put(
            &mut result,
            "fixes",
            self.valid_list("fixes", &shape::FIXES),
        );
        for (key, shape) in shape::CARRIED {
            put_some(&mut result, key, self.valid(key, shape));
        }
        let taxa: Vec<Value> = self.taxa.iter().map(|taxon| reference(*taxon)).collect();
        put(&mut result, "taxa", taxa);
        let bag = self.kept("properties").and_then(Value::as_object);
        let mut bag = bag.cloned().unwrap_or_default();
        bag.remove("tags");
        bag.remove(overrides::KEY);
        let tags: Vec<&str> = self.tags.difference(shared).copied().collect();
        put(&mut bag, "tags", tags);
        put(&mut result, "properties", bag);
        result
    }

    fn level(&self) -> &'static str {
        let kept = self.kept("level").and_then(Value::as_str);
        let known = LEVELS.iter().find(|level| Some(**level) == kept);
        known
            .copied()
            .unwrap_or(match self.finding.severity.as_str() {
                "critical" | "high" => "error",
                "medium" => "warning",
                _ => "note",
            })
    }

    fn rank(&self) -> Option<f64> {
        let rank = match self.sarif {
            Some(sarif) => sarif.get("rank")?.as_f64()?,
            // Without the noise that a product of binary fractions has.
            None => (self.finding.confidence? * 1e6).round() / 1e4,
        };
        (0.0..=100.0).contains(&rank).then_some(rank)
    }

    fn message(&self) -> Object {
        let finding = self.finding;
        let texts = [finding.description.as_deref(), Some(&finding.title)];
        let text = texts.into_iter().flatten().find(|text| !text.is_empty());
        let mut message = Object::new();
        put(&mut message, "text", text.unwrap_or("(no message)"));
        let markdown = self.kept("markdown").and_then(Value::as_str);
        put_some(&mut message, "markdown", markdown);
        message
    }

    fn locations(&self) -> Vec<Value> {
        let finding = self.finding;
        let remainder = self.kept("location").and_then(Value::as_object);
        let joined = |remainder: &Object| {
            let location = location::join(
                &finding.file_path,
                (finding.line_start, finding.line_end),
                finding.code_snippet.as_deref(),
                remainder,
            );
            tidy_record(&location, &shape::LOCATION, &Unlinked, &Path::Root)
        };
        let nothing = Object::new();
        let primary = joined(remainder.unwrap_or(&nothing)).or_else(|_| joined(&nothing));
        let others = self.valid_list("locations", &shape::LOCATIONS);
        match primary {
            Ok(Some(primary)) if finding.file_path != NO_LOCATION || !primary.is_empty() => {
                let mut locations = vec![Value::Object(primary)];
                locations.extend(others);
                locations
            }
            _ => others,
        }
    }
}

/// Kinds and states under which a result is a finding; "fail" goes without saying.
const KINDS: [&str; 3] = ["review", "open", "informational"];
const BASELINE_STATES: [&str; 3] = ["new", "unchanged", "updated"];

fn texts(value: Option<&Value>) -> impl Iterator<Item = &str> {
    let items = value
        .and_then(Value::as_array)
        .map_or(&[][..], Vec::as_slice);
    items.iter().filter_map(Value::as_str)
}

fn driver(tool: Option<&Object>, version: &str) -> Object {
    let text = |key: &str| tool?.get(key)?.as_str();
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
    let home = text("informationUri").filter(|uri| uri::has_scheme(uri));
    put_some(&mut driver, "informationUri", home.map(uri::tidy));
    driver
}

fn descriptor(result_id: &str, facts: Option<&Object>) -> Object {
    let text = |key: &str| facts?.get(key)?.as_str();
    let mut rule = Object::new();
    rule.insert("id".to_owned(), text("id").unwrap_or(result_id).into());
    put_some(&mut rule, "name", text("name"));
    let short = text("shortDescription").filter(|text| !text.is_empty());
    put_some(
        &mut rule,
        "shortDescription",
        short.map(|text| json!({"text": text})),
    );
    let help = text("helpUri").filter(|uri| uri::has_scheme(uri));
    put_some(&mut rule, "helpUri", help.map(uri::tidy));
    let mut properties = Object::new();
    let kept = facts.and_then(|facts| facts.get("properties")?.as_object());
    for key in RULE_PROPERTIES {
        put_some(
            &mut properties,
            key,
            kept.and_then(|kept| kept.get(key)).cloned(),
        );
    }
    put(&mut rule, "properties", properties);
    rule
}

fn taxa<'f>(metadata: &'f Value, kept: Option<&'f Value>) -> BTreeSet<(&'f str, &'f str)> {
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

fn reference((taxonomy, id): (&str, &str)) -> Value {
    let mut component = Object::new();
    put(&mut component, "name", taxonomy);
    put_some(&mut component, "guid", taxonomy_guid(taxonomy));
    json!({"id": id, "toolComponent": component})
}

/// GUIDs by which the taxonomies of a written log are found; other taxonomies are only named.
pub fn taxonomy_guid(taxonomy: &str) -> Option<&'static str> {
    match taxonomy {
        CWE => Some("2b841697-d0be-4009-9f19-fa2ba9a1cd54"),
        OWASP => Some("68ae4d37-1b5c-4d6e-a0e3-61aef2a4b61c"),
        _ => None,
    }
}
