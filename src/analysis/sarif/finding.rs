//! A result as a finding.

use serde_json::Value;

use super::error::SarifError;
use super::fingerprint;
use super::fixes;
use super::location::Place;
use super::message::{self, Message};
use super::overrides;
use super::path::Path;
use super::rule::Rule;
use super::rules::Found;
use super::run::{objects, ResultLinks};
use super::severity::Traits;
use super::shape;
use super::suppression;
use super::tidy::{self, tidy};
use super::value::{member, object, put, put_some, Object};
use super::weakness::Weaknesses;

/// A result, as the columns of `analysis.findings`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Finding {
    /// The id of the rule as the result gives it; also `metadata.sarif.ruleId`.
    pub rule_id: Option<String>,
    /// One of verification, security, semantic.
    pub category: &'static str,
    /// One of critical, high, medium, low.
    pub severity: &'static str,
    pub title: String,
    pub description: Option<String>,
    /// A path in the repository, an absolute path or URI, or [`super::location::NO_LOCATION`].
    pub file_path: String,
    pub line_start: Option<i32>,
    pub line_end: Option<i32>,
    pub code_snippet: Option<String>,
    pub fix_suggestion: Option<String>,
    pub fix_diff: Option<String>,
    /// From 0 to 1.
    pub confidence: Option<f64>,
    /// One of formal, ai, pattern.
    pub verification_type: Option<&'static str>,
    /// Set only in logs written by [`super::write_log`].
    pub verification_proof: Option<String>,
    /// `cwe`, `owasp`, `tags`, and under `sarif` what the columns have no room for.
    pub metadata: Value,
    pub dismissed: bool,
    pub dismissed_reason: Option<String>,
    /// 64 lower-case hexadecimal digits, different for each finding of a log.
    pub fingerprint: String,
}

/// A finding before its identity is known.
pub struct Unidentified {
    pub columns: Finding,
    pub region: [Option<i32>; 8],
}

/// What has been read of a result.
pub struct Parts<'a, 'v> {
    pub kind: &'static str,
    pub level: &'static str,
    pub rank: Option<f64>,
    pub baseline: Option<&'static str>,
    pub found: &'a Found<'a>,
    pub rule: Option<&'a Rule<'a>>,
    pub message: &'a Message,
    pub links: &'a ResultLinks<'a, 'v>,
}

impl Parts<'_, '_> {
    /// The columns, but for those that depend on other results.
    pub fn finding(
        &self,
        result: &Object,
        place: Place,
        path: &Path,
    ) -> Result<Unidentified, SarifError> {
        let properties = object(result, "properties", path)?;
        let (tags, weaknesses) = self.classification(result, properties, path)?;
        let traits = Traits {
            tool: self.links.run.tool.name(),
            properties,
            rule: self.rule,
            tags: &tags,
            weaknesses: &weaknesses,
        };
        let suppressions = self.list(result, "suppressions", &shape::SUPPRESSIONS, path)?;
        let fixes = self.list(result, "fixes", &shape::FIXES, path)?;
        let (dismissed, dismissed_reason) = suppression::dismissal(&suppressions);
        let (fix_suggestion, fix_diff) = fixes::columns(&fixes);

        let mut sarif = self.facts(path)?;
        put(&mut sarif, "location", place.remainder);
        put(&mut sarif, "locations", place.others);
        put(&mut sarif, "suppressions", suppressions);
        put(&mut sarif, "fixes", fixes);
        put(&mut sarif, "taxa", weaknesses.other_taxa());
        for (key, shape) in shape::CARRIED {
            if let Some(value) = member(result, key) {
                put_some(
                    &mut sarif,
                    key,
                    tidy(value, shape, self.links, &path.key(key))?,
                );
            }
        }
        for key in ["fingerprints", "partialFingerprints"] {
            let mut kept = object(result, key, path)?.cloned().unwrap_or_default();
            kept.retain(|name, value| name != fingerprint::KEY && !value.is_null());
            put(&mut sarif, key, kept);
        }
        let mut bag = properties.cloned().unwrap_or_default();
        bag.remove("tags");
        bag.remove(overrides::KEY);
        put(&mut sarif, "properties", bag);

        let mut metadata = Object::new();
        put(&mut metadata, "cwe", weaknesses.cwe_names());
        put(&mut metadata, "owasp", weaknesses.owasp_names());
        put(&mut metadata, "tags", tags.as_slice());
        put(&mut metadata, "sarif", sarif);
        let columns = Finding {
            rule_id: self.found.id.map(str::to_owned),
            category: traits.category(),
            severity: traits.severity(self.level),
            title: self.title(),
            description: Some(self.message.text.clone()).filter(|text| !text.is_empty()),
            file_path: place.file_path,
            line_start: place.line_start,
            line_end: place.line_end,
            code_snippet: place.code_snippet,
            fix_suggestion,
            fix_diff,
            confidence: traits.confidence(self.rank),
            verification_type: Some(traits.verification_type()),
            verification_proof: None,
            metadata: Value::Object(metadata),
            dismissed,
            dismissed_reason,
            fingerprint: String::new(),
        };
        Ok(Unidentified {
            columns,
            region: place.region,
        })
    }

    /// Findings are listed by title, so it is the rule's own description where there is one:
    /// the same for all its findings, and written for people. Rule names are not: Bandit calls
    /// eleven different rules "blacklist". The first sentence of the message says more.
    fn title(&self) -> String {
        let rule = self.rule;
        rule.and_then(|rule| rule.headline.clone())
            .or_else(|| message::headline(&self.message.text))
            .or_else(|| message::headline(rule?.name?))
            .or_else(|| message::headline(self.found.id?))
            .unwrap_or_else(|| "(untitled)".to_owned())
    }

    /// Tags of the rule and the result, each once, and the weaknesses they and the taxa name.
    fn classification<'r>(
        &'r self,
        result: &'r Object,
        properties: Option<&'r Object>,
        path: &Path,
    ) -> Result<(Vec<&'r str>, Weaknesses), SarifError> {
        let mut tags: Vec<&str> = Vec::new();
        let mut weaknesses = Weaknesses::default();
        if let Some(rule) = self.rule {
            tags.extend(&rule.tags);
            weaknesses.extend(&rule.weaknesses);
        }
        if let Some(properties) = properties {
            let own = tidy::tags(properties, &path.key("properties"))?;
            own.iter().for_each(|tag| weaknesses.add_tag(tag));
            tags.extend(own);
            weaknesses.add_property(properties);
        }
        tags.sort_unstable();
        tags.dedup();
        let taxa_path = path.key("taxa");
        let taxonomies = &self.links.run.taxonomies;
        for (position, taxon) in objects(result, "taxa", path)?.into_iter().enumerate() {
            taxonomies.resolve(taxon, &mut weaknesses, &taxa_path.index(position))?;
        }
        Ok((tags, weaknesses))
    }

    /// Where the result comes from: tool, rule, level and the like.
    fn facts(&self, path: &Path) -> Result<Object, SarifError> {
        let mut sarif = Object::new();
        let tool = &self.links.run.tool;
        self.links.budget.spend(tool.size, path)?;
        put(&mut sarif, "tool", tool.facts.clone());
        put_some(&mut sarif, "ruleId", self.found.id);
        if let Some(rule) = self.rule {
            self.links.budget.spend(rule.size, path)?;
            let mut facts = rule.facts.clone();
            if self.found.id != Some(rule.id) {
                put(&mut facts, "id", rule.id);
            }
            put(&mut sarif, "rule", facts);
        }
        put(&mut sarif, "level", self.level);
        if self.kind != "fail" {
            put(&mut sarif, "kind", self.kind);
        }
        put_some(&mut sarif, "baselineState", self.baseline);
        put_some(&mut sarif, "rank", self.rank);
        put_some(&mut sarif, "markdown", self.message.markdown.as_deref());
        Ok(sarif)
    }

    fn list(
        &self,
        result: &Object,
        key: &str,
        shape: &shape::Shape,
        path: &Path,
    ) -> Result<Vec<Value>, SarifError> {
        let Some(value) = member(result, key) else {
            return Ok(Vec::new());
        };
        match tidy(value, shape, self.links, &path.key(key))? {
            Some(Value::Array(items)) => Ok(items),
            _ => Ok(Vec::new()),
        }
    }
}
