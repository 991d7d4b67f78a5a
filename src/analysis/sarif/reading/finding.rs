//! A result as the columns of a finding.

use serde_json::Value;

use super::fixes;
use super::identity;
use super::message;
use super::result::ResolvedResult;
use super::severity::Traits;
use super::suppressions;
use super::weaknesses::Weaknesses;
use crate::analysis::sarif::columns;
use crate::analysis::sarif::error::SarifError;
use crate::analysis::sarif::finding::Finding;
use crate::analysis::sarif::fingerprint::{self, Fingerprints};
use crate::analysis::sarif::path::Path;
use crate::analysis::sarif::standard::shape;
use crate::analysis::sarif::standard::tidy::tidy;
use crate::analysis::sarif::value::{each_object, member, object, put, put_some, strings, Object};

/// The finding that a result is, with the columns that the result carries for it.
pub fn of(
    mut result: ResolvedResult,
    fingerprints: &mut Fingerprints,
    path: &Path,
) -> Result<Finding, SarifError> {
    let properties = object(result.members, "properties", path)?;
    let (tags, weaknesses) = classification(&result, properties, path)?;
    let traits = Traits {
        tool: result.links.run.tool.name(),
        properties,
        rule_properties: result.rule.and_then(|rule| rule.properties),
        tags: &tags,
        weaknesses: &weaknesses,
    };
    let suppressions = tidied_list(&result, "suppressions", &shape::SUPPRESSIONS, path)?;
    let fixes = tidied_list(&result, "fixes", &shape::FIXES, path)?;
    let (dismissed, dismissed_reason) = suppressions::dismissal(&suppressions);
    let (fix_suggestion, fix_diff) = fixes::columns(&fixes);

    let mut sarif = facts(&result, path)?;
    put(
        &mut sarif,
        "location",
        std::mem::take(&mut result.place.remainder),
    );
    put(
        &mut sarif,
        "locations",
        std::mem::take(&mut result.place.others),
    );
    put(&mut sarif, "suppressions", suppressions);
    put(&mut sarif, "fixes", fixes);
    put(&mut sarif, "taxa", weaknesses.other_taxa());
    for (key, shape) in shape::CARRIED {
        put_some(&mut sarif, key, tidied(&result, key, shape, path)?);
    }
    for key in ["fingerprints", "partialFingerprints"] {
        let mut kept = object(result.members, key, path)?
            .cloned()
            .unwrap_or_default();
        kept.retain(|name, value| name != fingerprint::KEY && !value.is_null());
        put(&mut sarif, key, kept);
    }
    let mut bag = properties.cloned().unwrap_or_default();
    bag.remove("tags");
    bag.remove(columns::KEY);
    put(&mut sarif, "properties", bag);

    let mut metadata = Object::new();
    put(&mut metadata, "cwe", weaknesses.cwe_names());
    put(&mut metadata, "owasp", weaknesses.owasp_names());
    put(&mut metadata, "tags", tags.as_slice());
    put(&mut metadata, "sarif", sarif);
    let fingerprint = identity::fingerprint(&result, fingerprints, path)?;
    let mut finding = Finding {
        rule_id: result.rule_id.map(str::to_owned),
        category: traits.category(),
        severity: traits.severity(result.level),
        title: title(&result),
        description: Some(result.message.text).filter(|text| !text.is_empty()),
        file_path: result.place.file_path,
        line_start: result.place.line_start,
        line_end: result.place.line_end,
        code_snippet: result.place.code_snippet,
        fix_suggestion,
        fix_diff,
        confidence: traits.confidence(result.rank),
        verification_type: Some(traits.verification_type()),
        verification_proof: None,
        metadata: Value::Object(metadata),
        dismissed,
        dismissed_reason,
        fingerprint,
    };
    if let Some(properties) = properties {
        let path = path.key("properties");
        if let Some(own) = object(properties, columns::KEY, &path)? {
            columns::apply(&mut finding, own, &path.key(columns::KEY))?;
        }
    }
    Ok(finding)
}

/// Findings are listed by title, so it is the rule's own description where there is one:
/// the same for all its findings, and written for people. Rule names are not: Bandit calls
/// eleven different rules "blacklist". The first sentence of the message says more.
fn title(result: &ResolvedResult) -> String {
    let rule = result.rule;
    rule.and_then(|rule| rule.headline.clone())
        .or_else(|| message::headline(&result.message.text))
        .or_else(|| message::headline(rule?.name?))
        .or_else(|| message::headline(result.rule_id?))
        .unwrap_or_else(|| "(untitled)".to_owned())
}

/// Tags of the rule and the result, each once, and the weaknesses they and the taxa name.
fn classification<'v>(
    result: &ResolvedResult<'_, 'v>,
    properties: Option<&'v Object>,
    path: &Path,
) -> Result<(Vec<&'v str>, Weaknesses), SarifError> {
    let mut tags: Vec<&str> = Vec::new();
    let mut weaknesses = Weaknesses::default();
    if let Some(rule) = result.rule {
        tags.extend(&rule.tags);
        weaknesses.extend(&rule.weaknesses);
    }
    if let Some(properties) = properties {
        let own = strings(properties, "tags", &path.key("properties"))?;
        weaknesses.add_properties(properties, &own);
        tags.extend(own);
    }
    tags.sort_unstable();
    tags.dedup();
    let taxonomies = &result.links.run.taxonomies;
    each_object(result.members, "taxa", path, |taxon, path| {
        taxonomies.resolve(taxon, &mut weaknesses, path)
    })?;
    Ok((tags, weaknesses))
}

/// Where the result comes from: tool, rule, level and the like.
fn facts(result: &ResolvedResult, path: &Path) -> Result<Object, SarifError> {
    let mut sarif = Object::new();
    let budget = result.links.budget;
    let tool = &result.links.run.tool;
    budget.spend(tool.size, path)?;
    put(&mut sarif, "tool", tool.facts.clone());
    put_some(&mut sarif, "ruleId", result.rule_id);
    if let Some(rule) = result.rule {
        budget.spend(rule.size, path)?;
        let mut facts = rule.facts.clone();
        if result.rule_id != Some(rule.id) {
            put(&mut facts, "id", rule.id);
        }
        put(&mut sarif, "rule", facts);
    }
    put(&mut sarif, "level", result.level);
    if result.kind != "fail" {
        put(&mut sarif, "kind", result.kind);
    }
    put_some(&mut sarif, "baselineState", result.baseline_state);
    put_some(&mut sarif, "rank", result.rank);
    put_some(&mut sarif, "markdown", result.message.markdown.as_deref());
    Ok(sarif)
}

fn tidied(
    result: &ResolvedResult,
    key: &str,
    shape: &shape::Shape,
    path: &Path,
) -> Result<Option<Value>, SarifError> {
    match member(result.members, key) {
        Some(value) => tidy(value, shape, &result.links, &path.key(key)),
        None => Ok(None),
    }
}

fn tidied_list(
    result: &ResolvedResult,
    key: &str,
    shape: &shape::Shape,
    path: &Path,
) -> Result<Vec<Value>, SarifError> {
    match tidied(result, key, shape, path)? {
        Some(Value::Array(items)) => Ok(items),
        _ => Ok(Vec::new()),
    }
}
