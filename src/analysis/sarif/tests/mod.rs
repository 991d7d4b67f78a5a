//! Whole logs in, findings out, and back.

use serde_json::{json, Value};

use super::finding::NO_LOCATION;
use super::*;

mod details;
mod faults;
mod identity;
mod properties;
mod real_logs;
mod round_trip;
mod rules;
mod schema;

/// A log that uses everything that is read.
fn full_log() -> Value {
    serde_json::from_str(include_str!("full.sarif")).unwrap()
}

fn real_log(name: &str) -> Value {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/sarif/");
    let text = std::fs::read_to_string(format!("{folder}{name}.sarif")).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn runs_of(log: &Value) -> Vec<Run> {
    read_log(log, &mut || {}).unwrap()
}

fn findings(log: &Value) -> Vec<Finding> {
    runs_of(log)
        .into_iter()
        .flat_map(|run| run.results)
        .collect()
}

fn fault(log: &Value) -> String {
    read_log(log, &mut || {}).unwrap_err().to_string()
}

/// A log of one run by the tool T with these rules and results.
fn log(rules: Value, results: Value) -> Value {
    json!({"version": "2.1.0", "runs": [
        {"tool": {"driver": {"name": "T", "rules": rules}}, "results": results}]})
}

/// A result with these members beside its message.
fn result(members: Value) -> Value {
    let mut result = json!({"message": {"text": "m"}});
    for (key, value) in members.as_object().unwrap() {
        result[key] = value.clone();
    }
    result
}

/// The finding made of one result.
fn finding(rules: Value, members: Value) -> Finding {
    let mut findings = findings(&log(rules, json!([result(members)])));
    assert_eq!(findings.len(), 1);
    findings.remove(0)
}

/// The fault of one result, without the path of the result itself.
fn result_fault(rules: Value, members: Value) -> String {
    let fault = fault(&log(rules, json!([result(members)])));
    match fault.strip_prefix("$.runs[0].results[0]") {
        Some(rest) => rest.to_owned(),
        None => fault,
    }
}

fn at(uri: &str) -> Value {
    json!([{"physicalLocation": {"artifactLocation": {"uri": uri}}}])
}

fn region(region: Value) -> Value {
    json!([{"physicalLocation": {"artifactLocation": {"uri": "a"}, "region": region}}])
}

fn store(finding: &Finding) -> StoredFinding {
    let finding = finding.clone();
    StoredFinding {
        rule_id: finding.rule_id.clone(),
        category: finding.category.to_owned(),
        severity: finding.severity.to_owned(),
        title: finding.title,
        description: finding.description,
        file_path: finding.file_path,
        line_start: finding.line_start,
        line_end: finding.line_end,
        code_snippet: finding.code_snippet,
        fix_suggestion: finding.fix_suggestion,
        fix_diff: finding.fix_diff,
        confidence: finding.confidence,
        verification_type: finding.verification_type.map(str::to_owned),
        verification_proof: finding.verification_proof,
        metadata: finding.metadata,
        dismissed: finding.dismissed,
        dismissed_reason: finding.dismissed_reason,
        fingerprint: Some(finding.fingerprint),
    }
}

fn stored(log: &Value) -> Vec<StoredFinding> {
    findings(log).iter().map(store).collect()
}

fn write(findings: &[StoredFinding]) -> Value {
    let analysis = Analysis {
        id: Some("6f0f4ffb-5b4d-4f5e-8b7a-0a3c3f1f3a10".to_owned()),
        repository: Some("django/django".to_owned()),
        head_sha: Some("0123456789012345678901234567890123456789".to_owned()),
        version: "1.0.0".to_owned(),
    };
    write_log(&analysis, findings, &mut || {})
}

/// Writes the findings, reads the log as text, and compares. The order may change, because a
/// log has one run per tool.
fn assert_comes_back(findings: &[StoredFinding]) -> Value {
    let log = write(findings);
    let parsed: Value = serde_json::from_str(&log.to_string()).unwrap();
    assert_eq!(parsed, log);
    let sorted = |mut findings: Vec<StoredFinding>| {
        findings.sort_by(|a, b| a.fingerprint.cmp(&b.fingerprint));
        findings
    };
    let again = sorted(stored(&parsed));
    let mut wanted = sorted(findings.to_vec());
    if findings.iter().any(|finding| finding.fingerprint.is_none()) {
        // Fingerprints were made up by the writer; findings are told apart by the rest.
        let key = |finding: &StoredFinding| format!("{finding:?}");
        let bare = |mut findings: Vec<StoredFinding>| {
            findings
                .iter_mut()
                .for_each(|finding| finding.fingerprint = None);
            findings.sort_by_key(key);
            findings
        };
        wanted = bare(wanted);
        assert_eq!(bare(again), wanted);
    } else {
        assert_eq!(again, wanted);
    }
    log
}
