use std::collections::{HashMap, HashSet};

use super::*;

const LOGS: [(&str, usize); 2] = [("bandit-django-4.2.16", 290), ("bandit-flask-3.0.3", 11)];

#[test]
fn every_result_is_a_finding_of_its_own() {
    for (name, count) in LOGS {
        let log = real_log(name);
        let runs = runs_of(&log);
        assert_eq!((runs.len(), runs[0].skipped), (1, 0));
        assert_eq!(runs[0].tool, "Bandit");
        let fingerprints: HashSet<&str> = runs[0]
            .results
            .iter()
            .map(|finding| finding.fingerprint.as_str())
            .collect();
        assert_eq!((runs[0].results.len(), fingerprints.len()), (count, count));
        assert_eq!(runs, runs_of(&log));
    }
}

#[test]
fn severities_titles_and_confidence() {
    let findings = findings(&real_log("bandit-django-4.2.16"));
    let mut severities = HashMap::new();
    for finding in &findings {
        *severities.entry(finding.severity).or_insert(0) += 1;
        assert_eq!(finding.category, "security");
        assert_eq!(finding.verification_type, Some("pattern"));
        assert!(finding.title.len() > 15, "{}", finding.title);
        assert!(finding.line_start.is_some() && finding.code_snippet.is_some());
        assert!(matches!(finding.confidence, Some(0.9 | 0.6 | 0.3)));
    }
    let wanted = [("high", 8), ("medium", 173), ("low", 109)];
    assert_eq!(severities, HashMap::from(wanted));
    assert_eq!(findings[0].title, "Try, Except, Pass detected");
    assert_eq!(findings[0].rule_id.as_deref(), Some("B110"));
    assert_eq!(findings[0].file_path, "django/apps/config.py");
    assert_eq!(
        (findings[0].line_start, findings[0].line_end),
        (Some(112), Some(112))
    );
}

#[test]
fn come_back_without_help() {
    for (name, _) in LOGS {
        let log = assert_comes_back(&stored(&real_log(name)));
        assert!(!log.to_string().contains("\"codeverify/v1\":{"));
    }
}

#[test]
fn large_logs_are_read_in_steps() {
    const MANY: usize = 5_000;
    let real = real_log("bandit-django-4.2.16");
    let mut log = real.clone();
    let results = real["runs"][0]["results"].as_array().unwrap();
    let many: Vec<Value> = results.iter().cycle().take(MANY).cloned().collect();
    log["runs"][0]["results"] = Value::Array(many);
    let mut calls = 0;
    let runs = read_log(&log, &mut || calls += 1).unwrap();
    assert!(calls >= MANY / 256);
    let fingerprints: HashSet<&String> = runs[0].results.iter().map(|f| &f.fingerprint).collect();
    assert_eq!(fingerprints.len(), MANY);
}
