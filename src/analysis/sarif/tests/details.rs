use super::*;

#[test]
fn severity_by_score() {
    for (score, severity) in [
        (json!("9.0"), "critical"),
        (json!(10), "critical"),
        (json!("8.99"), "high"),
        (json!(7.0), "high"),
        (json!(" 4 "), "medium"),
        (json!(3.9), "low"),
        (json!("0.0"), "low"),
        (json!("high"), "medium"),
        (json!("NaN"), "medium"),
        (json!([9]), "medium"),
    ] {
        let bag = json!({"security-severity": score});
        let by_rule = finding(
            json!([{"id": "R", "properties": bag}]),
            json!({"ruleId": "R"}),
        );
        let by_result = finding(json!([]), json!({"properties": bag}));
        assert_eq!((by_rule.severity, by_result.severity), (severity, severity));
    }
    let rules = json!([{"id": "R", "properties": {"security-severity": "9.5"}}]);
    let members = json!({"ruleId": "R", "level": "note", "properties": {"security-severity": 5}});
    assert_eq!(finding(rules, members).severity, "medium");
}

#[test]
fn categories() {
    for (bag, category, verification) in [
        (json!({"tags": ["Security"]}), "security", "pattern"),
        (
            json!({"tags": ["external/cwe/cwe-089"]}),
            "security",
            "pattern",
        ),
        (json!({"tags": ["OWASP-A01:2021"]}), "security", "pattern"),
        (json!({"security-severity": "1"}), "security", "pattern"),
        (json!({"tags": ["formal"]}), "verification", "formal"),
        (json!({"tags": ["a/proof"]}), "verification", "formal"),
        (json!({"tags": ["verification"]}), "verification", "pattern"),
        (
            json!({"tags": ["formal", "security"]}),
            "security",
            "formal",
        ),
        (json!({"tags": ["ai"]}), "semantic", "ai"),
        (json!({"verification_type": "ai"}), "semantic", "ai"),
        (json!({"verificationType": "formal"}), "semantic", "formal"),
        (json!({"verification_type": "magic"}), "semantic", "pattern"),
        (
            json!({"tags": ["insecurity", "informal"]}),
            "semantic",
            "pattern",
        ),
        (json!({}), "semantic", "pattern"),
    ] {
        for (rules, members) in [
            (json!([]), json!({"properties": bag})),
            (
                json!([{"id": "R", "properties": bag}]),
                json!({"ruleId": "R"}),
            ),
        ] {
            let finding = finding(rules, members);
            assert_eq!(finding.category, category, "{bag}");
            assert_eq!(finding.verification_type, Some(verification), "{bag}");
        }
    }
    for (tool, category) in [
        ("Bandit", "security"),
        ("Snyk Open Source", "security"),
        ("gosec", "security"),
        ("Banditry", "semantic"),
    ] {
        let mut log = log(json!([]), json!([result(json!({}))]));
        log["runs"][0]["tool"]["driver"]["name"] = json!(tool);
        assert_eq!(findings(&log)[0].category, category);
    }
}

#[test]
fn confidences() {
    for (members, confidence) in [
        (json!({"rank": 75.5}), Some(0.755)),
        (json!({"rank": 0}), Some(0.0)),
        (json!({"rank": -1}), None),
        (
            json!({"properties": {"issue_confidence": "HIGH"}}),
            Some(0.9),
        ),
        (
            json!({"properties": {"issue_confidence": "MEDIUM"}}),
            Some(0.6),
        ),
        (
            json!({"properties": {"issue_confidence": "LOW"}}),
            Some(0.3),
        ),
        (
            json!({"properties": {"issue_confidence": "UNDEFINED"}}),
            None,
        ),
        (
            json!({"rank": 50, "properties": {"issue_confidence": "LOW"}}),
            Some(0.5),
        ),
        (json!({"ruleId": "P"}), Some(0.95)),
        (json!({"ruleId": "K"}), Some(0.4)),
        (json!({}), None),
    ] {
        let rules = json!([
            {"id": "P", "properties": {"precision": "very-high"}},
            {"id": "K", "defaultConfiguration": {"rank": 40}},
        ]);
        assert_eq!(finding(rules, members).confidence, confidence);
    }
    assert_eq!(
        result_fault(json!([]), json!({"rank": 101})),
        ".rank: must be between 0 and 100"
    );
}

#[test]
fn skipped_results() {
    let runs = runs_of(&log(
        json!([]),
        json!([
            result(json!({"kind": "pass"})),
            result(json!({"kind": "notApplicable"})),
            result(json!({"baselineState": "absent"})),
            result(json!({"baselineState": "new"})),
            result(json!({"kind": "review"})),
        ]),
    ));
    assert_eq!((runs[0].skipped, runs[0].results.len()), (3, 2));
    assert_eq!(runs[0].results[0].metadata["sarif"]["baselineState"], "new");
    assert_eq!(runs[0].results[1].metadata["sarif"]["kind"], "review");
}

#[test]
fn places() {
    for (members, path, lines) in [
        (json!({}), NO_LOCATION, None),
        (json!({"locations": []}), NO_LOCATION, None),
        (json!({"locations": [{}]}), NO_LOCATION, None),
        (json!({"locations": at("")}), NO_LOCATION, None),
        (json!({"locations": at("./a%20b.py")}), "a b.py", None),
        (json!({"locations": at("file:///x/y.py")}), "/x/y.py", None),
        (json!({"locations": region(json!({}))}), "a", None),
        (
            json!({"locations": region(json!({"startLine": 3}))}),
            "a",
            Some((3, 3)),
        ),
        (
            json!({"locations": region(json!({"startLine": 3, "endLine": 5}))}),
            "a",
            Some((3, 5)),
        ),
        (
            json!({"locations": region(json!({"charOffset": 3, "charLength": 5}))}),
            "a",
            None,
        ),
        (
            json!({"locations": region(json!({"byteOffset": 3}))}),
            "a",
            None,
        ),
        (
            json!({"locations": [{"logicalLocations": [{"name": "f"}]}, at("second.py")[0]]}),
            "second.py",
            None,
        ),
    ] {
        let finding = finding(json!([]), members.clone());
        assert_eq!(finding.file_path, path, "{members}");
        let found = finding.line_start.zip(finding.line_end);
        assert_eq!(found, lines, "{members}");
    }
    let offset = region(json!({"charOffset": 3, "charLength": 5}));
    let finding = finding(json!([]), json!({"locations": offset}));
    assert_eq!(
        finding.metadata["sarif"]["location"]["region"],
        json!({"charOffset": 3, "charLength": 5})
    );
}

#[test]
fn snippets() {
    let physical = |region: Value, context: Value| {
        json!({"locations": [{"physicalLocation": {"artifactLocation": {"uri": "a"},
            "region": region, "contextRegion": context}}]})
    };
    let snippet = |text: &str| json!({"startLine": 1, "snippet": {"text": text}});
    let both = finding(json!([]), physical(snippet("own"), snippet("around")));
    assert_eq!(both.code_snippet.as_deref(), Some("own"));
    let kept = &both.metadata["sarif"]["location"];
    assert_eq!(kept["contextRegion"]["snippet"]["text"], "around");
    assert_eq!(kept["region"], Value::Null);
    let around = finding(
        json!([]),
        physical(json!({"startLine": 1}), snippet("around")),
    );
    assert_eq!(around.code_snippet.as_deref(), Some("around"));
    assert_eq!(
        around.metadata["sarif"]["location"]["contextRegion"],
        json!({"startLine": 1})
    );
}

#[test]
fn bases() {
    let bases = json!({
        "ROOT": {"uri": "file:///repo/"},
        "LIB": {"uri": "lib", "uriBaseId": "ROOT"},
        "DEEP": {"uri": "deep/", "uriBaseId": "LIB"},
        "HIDDEN": {},
        "UNDER": {"uri": "under/", "uriBaseId": "HIDDEN"},
        "LOOP": {"uri": "loop/", "uriBaseId": "POOL"},
        "POOL": {"uri": "pool/", "uriBaseId": "LOOP"},
        "PLAIN": {"uri": "plain/"},
        "REPO": {"uri": "repo/", "uriBaseId": "ROOT"},
    });
    for (base, path, root, uri) in [
        ("ROOT", "x.py", Some("ROOT"), Some("file:///repo/")),
        ("LIB", "lib/x.py", Some("ROOT"), Some("file:///repo/")),
        ("DEEP", "lib/deep/x.py", Some("ROOT"), Some("file:///repo/")),
        ("%SRCROOT%", "x.py", Some("%SRCROOT%"), None),
        ("HIDDEN", "x.py", Some("HIDDEN"), None),
        ("UNDER", "under/x.py", Some("HIDDEN"), None),
        ("LOOP", "x.py", Some("LOOP"), None),
        ("PLAIN", "plain/x.py", None, None),
        ("REPO", "x.py", Some("REPO"), Some("file:///repo/repo/")),
    ] {
        let artifact = json!({"uri": "x.py", "uriBaseId": base});
        let mut log = log(
            json!([]),
            json!([result(json!({"locations": [
                {"physicalLocation": {"artifactLocation": artifact}}]}))]),
        );
        log["runs"][0]["originalUriBaseIds"] = bases.clone();
        log["runs"][0]["versionControlProvenance"] =
            json!([{"repositoryUri": "https://x", "mappedTo": {"uriBaseId": "REPO"}}]);
        let finding = findings(&log).remove(0);
        assert_eq!(finding.file_path, path, "{base}");
        let kept = &finding.metadata["sarif"]["location"];
        assert_eq!(kept["uriBaseId"].as_str(), root, "{base}");
        assert_eq!(kept["baseUri"].as_str(), uri, "{base}");
        assert_comes_back(&[store(&finding)]);
    }
}

#[test]
fn artifacts_by_index() {
    let members = |index: i64| json!({"locations": [{"physicalLocation": {"artifactLocation": {"index": index}}}]});
    let mut log = log(json!([]), json!([result(members(1)), result(members(-1))]));
    log["runs"][0]["artifacts"] = json!([{}, {"location": {"uri": "b%2Bc.py"}}]);
    let read = findings(&log);
    assert_eq!(read[0].file_path, "b+c.py");
    assert_eq!(read[1].file_path, NO_LOCATION);
    log["runs"][0]["results"][1] = result(members(2));
    let path = "$.runs[0].results[1].locations[0].physicalLocation.artifactLocation.index";
    assert_eq!(
        fault(&log),
        format!("{path}: 2 is out of range: the run has 2 artifacts")
    );
}

#[test]
fn carried_metadata() {
    let runs = runs_of(&full_log());
    assert_eq!(
        (runs.len(), runs[0].skipped, runs[0].results.len()),
        (2, 2, 4)
    );
    assert_eq!(runs[0].tool_version.as_deref(), Some("1.2.3"));
    assert_eq!((runs[1].tool.as_str(), runs[1].results.len()), ("Quiet", 0));

    let first = &runs[0].results[0];
    assert_eq!(first.rule_id.as_deref(), Some("S1/query"));
    assert_eq!((first.category, first.severity), ("security", "critical"));
    assert_eq!(first.title, "SQL built from user input");
    assert_eq!(first.description.as_deref(), Some("'name' reaches a query"));
    assert_eq!(first.file_path, "lib/db.py");
    assert_eq!((first.line_start, first.line_end), (Some(10), Some(11)));
    assert_eq!(first.confidence, Some(0.755));
    assert_eq!(
        (first.dismissed, first.dismissed_reason.as_deref()),
        (true, Some("Not reachable"))
    );
    assert_eq!(first.fix_suggestion.as_deref(), Some("Bind the parameter"));
    assert!(first
        .fix_diff
        .as_deref()
        .unwrap()
        .starts_with("--- a/lib/db.py\n"));
    let metadata = &first.metadata;
    assert_eq!(metadata["cwe"], json!(["CWE-20", "CWE-89"]));
    assert_eq!(metadata["owasp"], json!(["A03:2021"]));
    assert_eq!(
        metadata["tags"],
        json!(["external/cwe/cwe-020", "reviewed", "security"])
    );
    let sarif = &metadata["sarif"];
    assert_eq!(sarif["rule"]["id"], "S1");
    assert_eq!(sarif["markdown"], "`name` reaches a query");
    assert_eq!(sarif["taxa"], json!([{"id": "19", "taxonomy": "WASC"}]));
    assert_eq!(sarif["properties"], json!({"team": {"name": "db"}}));
    assert_eq!(
        sarif["relatedLocations"][0]["message"],
        json!({"text": "name comes from here"})
    );
    assert_eq!(
        sarif["codeFlows"][0],
        json!({
            "message": {"text": "Shared flow"},
            "threadFlows": [{"locations": [
                {"importance": "essential", "location": {"physicalLocation": {
                    "artifactLocation": {"uri": "src/a%20b.py", "uriBaseId": "ROOT"},
                    "region": {"startLine": 2}}}},
                {"kinds": ["call"], "executionOrder": 2, "location": {"physicalLocation": {
                    "artifactLocation": {"uri": "lib/db.py", "uriBaseId": "ROOT"}}}},
            ]}],
        })
    );
    assert_eq!(
        sarif["location"]["logicalLocations"],
        json!([{"name": "query", "fullyQualifiedName": "db.query", "kind": "function"}])
    );
    for key in [
        "stacks",
        "hostedViewerUri",
        "baselineState",
        "occurrenceCount",
        "correlationGuid",
        "partialFingerprints",
        "suppressions",
        "fixes",
        "locations",
        "rank",
    ] {
        assert!(!sarif[key].is_null(), "{key}");
    }
    let second = &runs[0].results[1];
    assert_eq!(
        (second.title.as_str(), second.severity),
        ("Unused variable", "low")
    );
    assert!(!second.dismissed);
    let third = &runs[0].results[2];
    assert_eq!(
        (third.category, third.verification_type),
        ("verification", Some("formal"))
    );
    assert_eq!(
        runs[0].results[3].metadata,
        json!({"sarif": {
            "level": "warning",
            "tool": {"name": "Scanner", "version": "1.2.3", "informationUri": "https://example.com/scanner"},
        }})
    );
}
