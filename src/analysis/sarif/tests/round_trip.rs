use super::*;

fn by_hand() -> StoredFinding {
    StoredFinding {
        category: "verification".to_owned(),
        severity: "critical".to_owned(),
        title: "Overflow".to_owned(),
        file_path: "src/a b.rs".to_owned(),
        metadata: json!({}),
        ..StoredFinding::default()
    }
}

#[test]
fn of_a_full_log() {
    let findings = stored(&full_log());
    let log = assert_comes_back(&findings);
    let run = &log["runs"][0];
    assert_eq!(log["runs"].as_array().unwrap().len(), 1);
    assert!(!log.to_string().contains("\"codeverify/v1\":{"), "{run:#}");
    let driver = &run["tool"]["driver"];
    assert_eq!(
        (&driver["name"], &driver["version"]),
        (&json!("Scanner"), &json!("1.2.3"))
    );
    let rule = &driver["rules"][0];
    assert_eq!(rule["id"], "S1");
    assert_eq!(
        rule["shortDescription"]["text"],
        "SQL built from user input"
    );
    assert_eq!(rule["properties"]["security-severity"], "9.8");
    let result = &run["results"][0];
    assert_eq!(
        (&result["ruleId"], &result["ruleIndex"]),
        (&json!("S1/query"), &json!(0))
    );
    assert_eq!(
        run["originalUriBaseIds"]["ROOT"]["uri"],
        "file:///home/me/project/"
    );
    assert_eq!(
        run["versionControlProvenance"][0]["repositoryUri"],
        "https://github.com/django/django"
    );
    assert_eq!(
        run["taxonomies"][0]["taxa"],
        json!([{"id": "20"}, {"id": "89"}])
    );
    for key in [
        "codeFlows",
        "relatedLocations",
        "fixes",
        "suppressions",
        "partialFingerprints",
        "fingerprints",
        "taxa",
        "stacks",
        "rank",
        "baselineState",
    ] {
        assert!(!result[key].is_null(), "{key}");
    }
    assert_eq!(run["results"][2]["kind"], "open");
}

#[test]
fn of_findings_written_by_hand() {
    let bare = by_hand();
    let whole = StoredFinding {
        description: Some("i + 1 may overflow. {0}".to_owned()),
        line_start: Some(5),
        line_end: Some(9),
        code_snippet: Some("i + 1".to_owned()),
        fix_suggestion: Some("use checked_add".to_owned()),
        fix_diff: Some("-i + 1\n+i.checked_add(1)".to_owned()),
        confidence: Some(0.57),
        verification_type: Some("formal".to_owned()),
        verification_proof: Some("(assert …)".to_owned()),
        metadata: json!({"ticket": 7, "cwe": ["CWE-190"], "tags": ["x"]}),
        dismissed: true,
        dismissed_reason: Some("accepted risk".to_owned()),
        fingerprint: Some("ab".repeat(32)),
        ..by_hand()
    };
    let open_end = StoredFinding {
        line_start: Some(5),
        ..by_hand()
    };
    let odd = StoredFinding {
        file_path: NO_LOCATION.to_owned(),
        code_snippet: Some(String::new()),
        line_start: Some(1),
        title: "A. B".to_owned(),
        metadata: json!({"sarif": {"level": 7, "tool": {"name": ""}, "ruleId": "R",
            "codeFlows": [{}], "location": {"region": 1}, "suppressions": [{"kind": "x"}],
            "properties": [], "rule": {"id": 5, "properties": {"tags": [1]}}}}),
        ..by_hand()
    };
    let log = assert_comes_back(&[bare.clone(), whole, open_end, bare, odd]);
    let result = &log["runs"][0]["results"][0];
    assert_eq!(log["runs"][0]["tool"]["driver"]["name"], "codeverify");
    assert_eq!(log["runs"][0]["tool"]["driver"]["version"], "1.0.0");
    assert_eq!(result["ruleId"], "codeverify-verification");
    assert_eq!(result["level"], "error");
    let artifact = &result["locations"][0]["physicalLocation"]["artifactLocation"];
    assert_eq!(artifact["uri"], "src/a%20b.rs");
}

#[test]
fn of_findings_changed_after_the_import() {
    let mut findings = stored(&full_log());
    findings[0].dismissed = false;
    findings[0].dismissed_reason = None;
    findings[0].severity = "low".to_owned();
    findings[0].title = "Mine".to_owned();
    findings[1].dismissed = true;
    findings[1].dismissed_reason = Some("no".to_owned());
    findings[1].line_start = Some(7);
    findings[2].file_path = "x.py".to_owned();
    findings[3].metadata = json!({"mine": 1});
    let log = assert_comes_back(&findings);
    let status = |result: usize| {
        let suppressions = log["runs"][0]["results"][result]["suppressions"].clone();
        suppressions.as_array().unwrap().last().unwrap()["status"].clone()
    };
    assert_eq!(status(0), "rejected");
    assert_eq!(status(1), "accepted");
}

#[test]
fn of_nothing() {
    let log = write(&[]);
    assert_eq!(log["runs"][0]["results"], json!([]));
    assert_eq!(findings(&log).len(), 0);
    assert_comes_back(&[]);
}

#[test]
fn of_two_tools() {
    let mut log = full_log();
    let mut other = log["runs"][0].clone();
    other["tool"]["driver"]["name"] = json!("Other");
    log["runs"][1] = other;
    let mut findings = stored(&log);
    findings.push(StoredFinding {
        fingerprint: Some("cd".repeat(32)),
        ..by_hand()
    });
    let written = assert_comes_back(&findings);
    assert_eq!(written["runs"].as_array().unwrap().len(), 3);
}

#[test]
fn twice_is_the_same() {
    let first = write(&stored(&full_log()));
    assert_eq!(write(&stored(&first)), first);
}

#[test]
fn lets_the_host_interrupt() {
    let many = vec![by_hand(); 1000];
    let mut calls = 0;
    write_log(&Analysis::default(), &many, &mut || calls += 1);
    assert!(calls >= 9);
}
