//! A finding as a result.

use std::collections::BTreeSet;

use serde_json::Value;

use super::location;
use super::rule;
use super::suppressions;
use super::taxonomies;
use super::tool::{self, OWN_TOOL};
use crate::analysis::sarif::columns;
use crate::analysis::sarif::finding::{StoredFinding, NO_LOCATION};
use crate::analysis::sarif::fingerprint;
use crate::analysis::sarif::path::Path;
use crate::analysis::sarif::standard::shape::{self, Shape};
use crate::analysis::sarif::standard::tidy::{tidy, tidy_record, Unlinked};
use crate::analysis::sarif::standard::uri;
use crate::analysis::sarif::standard::words::{FINDING_KINDS, FINDING_STATES, LEVELS};
use crate::analysis::sarif::value::{put, put_some, texts, Object};

/// A finding with what its metadata keeps for its result. Metadata is the user's to change, so
/// whatever is not as it was read is left out here; `columns` restores it.
pub struct Draft<'f> {
    pub finding: &'f StoredFinding,
    sarif: Option<&'f Object>,
    rule_id: Option<String>,
    /// The descriptor of the rule, without its tags.
    pub rule: Option<Object>,
    pub tags: BTreeSet<&'f str>,
    /// A taxonomy's name and a taxon's id.
    pub taxa: BTreeSet<(&'f str, &'f str)>,
    /// A base id and its absolute URI.
    pub base: Option<(&'f str, String)>,
}

impl<'f> Draft<'f> {
    /// The draft, and the driver of its tool; `version` is that of [`OWN_TOOL`].
    pub fn of(finding: &'f StoredFinding, version: &str) -> (Self, Object) {
        let sarif = finding.metadata.get("sarif").and_then(Value::as_object);
        let kept = |key: &str| sarif.and_then(|sarif| sarif.get(key));
        let driver = tool::driver(kept("tool").and_then(Value::as_object), version);
        let rule_id = match (&finding.rule_id, sarif) {
            (Some(id), _) => Some(id.clone()),
            (None, Some(sarif)) => sarif
                .get("ruleId")
                .and_then(Value::as_str)
                .map(str::to_owned),
            (None, None) => Some(format!("{OWN_TOOL}-{}", finding.category)),
        };
        let facts = kept("rule").and_then(Value::as_object);
        let rule = rule_id.as_deref().map(|id| rule::descriptor(id, facts));
        let place = kept("location").and_then(Value::as_object);
        let base = place.and_then(|place| {
            let uri = place.get("baseUri")?.as_str()?;
            Some((place.get("uriBaseId")?.as_str()?, uri::tidy(uri)))
        });
        let draft = Draft {
            finding,
            sarif,
            rule_id,
            rule,
            tags: texts(finding.metadata.get("tags")).collect(),
            taxa: taxonomies::taxa(&finding.metadata, kept("taxa")),
            base,
        };
        (draft, driver)
    }

    fn kept(&self, key: &str) -> Option<&'f Value> {
        self.sarif?.get(key)
    }

    fn word(&self, key: &str, words: &[&'static str]) -> Option<&'static str> {
        let kept = self.kept(key)?.as_str()?;
        words.iter().copied().find(|word| *word == kept)
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
        // The kind "fail" goes without saying.
        let kind = self.word("kind", &FINDING_KINDS[1..]);
        put_some(&mut result, "kind", kind);
        let state = self.word("baselineState", &FINDING_STATES);
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
        let suppressions = suppressions::suppressions(
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
        let taxa = self.taxa.iter().copied().map(taxonomies::reference);
        put(&mut result, "taxa", taxa.collect::<Vec<_>>());
        let bag = self.kept("properties").and_then(Value::as_object);
        let mut bag = bag.cloned().unwrap_or_default();
        bag.remove("tags");
        bag.remove(columns::KEY);
        let tags: Vec<&str> = self.tags.difference(shared).copied().collect();
        put(&mut bag, "tags", tags);
        put(&mut result, "properties", bag);
        result
    }

    fn level(&self) -> &'static str {
        let kept = self.word("level", &LEVELS);
        kept.unwrap_or(match self.finding.severity.as_str() {
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
