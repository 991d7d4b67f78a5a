use super::*;

fn extended(results: Value) -> Value {
    json!({"version": "2.1.0", "runs": [{
        "tool": {
            "driver": {"name": "T", "guid": "G0", "rules": [
                {"id": "A", "guid": "g1", "shortDescription": {"text": "About A"}},
                {"id": "B/C", "shortDescription": {"text": "About B/C"}},
            ]},
            "extensions": [
                {"name": "E", "guid": "G1", "rules": [
                    {"id": "A", "shortDescription": {"text": "A of E"}},
                    {"id": "X", "guid": "g2", "shortDescription": {"text": "About X"}},
                ], "globalMessageStrings": {"hi": {"text": "Hi from E"}}},
            ],
        },
        "results": results,
    }]})
}

#[test]
fn are_found() {
    for (members, rule_id, title) in [
        (json!({"ruleId": "A"}), Some("A"), "About A"),
        (json!({"ruleIndex": 1}), Some("B/C"), "About B/C"),
        (
            json!({"ruleId": "A", "ruleIndex": -1}),
            Some("A"),
            "About A",
        ),
        (json!({"ruleId": "A/1"}), Some("A/1"), "About A"),
        (json!({"ruleId": "B/C/d/e"}), Some("B/C/d/e"), "About B/C"),
        (json!({"ruleId": "B"}), Some("B"), "m"),
        (json!({"ruleId": "X"}), Some("X"), "About X"),
        (json!({"rule": {"id": "A"}}), Some("A"), "About A"),
        (json!({"rule": {"index": 1}}), Some("B/C"), "About B/C"),
        (json!({"rule": {"guid": "g1"}}), Some("A"), "About A"),
        (json!({"rule": {"guid": "g2"}}), Some("X"), "About X"),
        (
            json!({"ruleId": "X", "rule": {"index": 1, "toolComponent": {"index": 0}}}),
            Some("X"),
            "About X",
        ),
        (
            json!({"ruleId": "A", "rule": {"toolComponent": {"guid": "none"}}}),
            Some("A"),
            "About A",
        ),
        (
            json!({"ruleId": "A", "rule": {"toolComponent": {"guid": "G1"}}}),
            Some("A"),
            "A of E",
        ),
        (
            json!({"rule": {"id": "A", "toolComponent": {"name": "E"}}}),
            Some("A"),
            "A of E",
        ),
        (json!({}), None, "m"),
    ] {
        let findings = findings(&extended(json!([result(members.clone())])));
        assert_eq!(findings[0].rule_id.as_deref(), rule_id, "{members}");
        assert_eq!(findings[0].title, title, "{members}");
        assert_eq!(
            findings[0].metadata["sarif"]["ruleId"].as_str(),
            rule_id,
            "{members}"
        );
    }
}

#[test]
fn are_not_found() {
    for (members, problem) in [
        (
            json!({"ruleIndex": 2}),
            ".ruleIndex: 2 is out of range: \"T\" has 2 rules",
        ),
        (
            json!({"rule": {"index": 9}}),
            ".rule.index: 9 is out of range: \"T\" has 2 rules",
        ),
        (
            json!({"ruleIndex": 2, "rule": {"toolComponent": {"index": 0}}}),
            ".ruleIndex: 2 is out of range: \"E\" has 2 rules",
        ),
        (
            json!({"rule": {"id": "A", "toolComponent": {"index": 1}}}),
            ".rule.toolComponent.index: 1 is out of range: the tool has 1 extensions",
        ),
        (
            json!({"ruleIndex": 0, "rule": {"index": 1}}),
            ".rule.index: 1 contradicts ruleIndex, 0",
        ),
        (json!({"ruleIndex": -2}), ".ruleIndex: -2 is not an index"),
        (
            json!({"ruleIndex": "1"}),
            ".ruleIndex: must be an integer, not a string",
        ),
        (
            json!({"ruleIndex": 4294967296u64}),
            ".ruleIndex: 4294967296 is out of the range of an integer",
        ),
        (
            json!({"ruleId": 5}),
            ".ruleId: must be a string, not a number",
        ),
        (
            json!({"rule": []}),
            ".rule: must be an object, not an array",
        ),
    ] {
        let fault = fault(&extended(json!([result(members)])));
        assert_eq!(fault, format!("$.runs[0].results[0]{problem}"));
    }
}

#[test]
fn titles() {
    for (rule, message, title) in [
        (
            json!({"id": "R", "shortDescription": {"text": "Short.\nMore"}}),
            "m",
            "Short.",
        ),
        (
            json!({"id": "R", "fullDescription": {"text": "Full one. Two"}}),
            "m",
            "Full one",
        ),
        (
            json!({"id": "R", "shortDescription": {"text": "R"}}),
            "Say it. Now",
            "Say it",
        ),
        (
            json!({"id": "R", "name": "n", "shortDescription": {"text": "n"}}),
            "m",
            "m",
        ),
        (
            json!({"id": "R", "name": "blacklist"}),
            "Use of md5.",
            "Use of md5",
        ),
        (json!({"id": "R", "name": "name"}), " ", "name"),
        (json!({"id": "R"}), "", "R"),
        (json!({"id": ""}), "", "(untitled)"),
    ] {
        let rules = json!([rule]);
        let finding = finding(rules, json!({"ruleIndex": 0, "message": {"text": message}}));
        assert_eq!(finding.title, title);
    }
}

#[test]
fn messages_by_id() {
    let rules = json!([{"id": "R", "messageStrings": {"own": {"text": "Own {0}"}}}]);
    let members = |id: &str| json!({"ruleId": "R", "message": {"id": id, "arguments": ["x"]}});
    assert_eq!(
        finding(rules.clone(), members("own"))
            .description
            .as_deref(),
        Some("Own x")
    );
    assert_eq!(
        result_fault(rules, members("hi")),
        ".message.id: \"hi\" names no message string"
    );
    let result =
        json!({"rule": {"id": "X", "toolComponent": {"index": 0}}, "message": {"id": "hi"}});
    let findings = findings(&extended(json!([result])));
    assert_eq!(findings[0].description.as_deref(), Some("Hi from E"));
}

#[test]
fn levels() {
    let rules = json!([
        {"id": "E", "defaultConfiguration": {"level": "error"}},
        {"id": "N"},
    ]);
    for (members, level, severity) in [
        (json!({"ruleId": "E"}), "error", "high"),
        (json!({"ruleId": "E/1"}), "error", "high"),
        (json!({"ruleId": "N"}), "warning", "medium"),
        (json!({}), "warning", "medium"),
        (json!({"ruleId": "E", "level": "note"}), "note", "low"),
        (json!({"ruleId": "E", "kind": "review"}), "none", "low"),
        (json!({"kind": "open"}), "none", "low"),
        (
            json!({"kind": "informational", "level": "none"}),
            "none",
            "low",
        ),
        (json!({"kind": "fail"}), "warning", "medium"),
    ] {
        let finding = finding(rules.clone(), members.clone());
        assert_eq!(finding.metadata["sarif"]["level"], level, "{members}");
        assert_eq!(finding.severity, severity, "{members}");
    }
    assert_eq!(
        result_fault(json!([]), json!({"level": "fatal"})),
        ".level: \"fatal\" is not one of none, note, warning, error"
    );
    assert_eq!(
        fault(&log(
            json!([{"id": "E", "defaultConfiguration": {"level": 1}}]),
            json!([])
        )),
        "$.runs[0].tool.driver.rules[0].defaultConfiguration.level: must be a string, not a number"
    );
}

#[test]
fn overridden_levels() {
    let mut log = log(
        json!([{"id": "R", "defaultConfiguration": {"level": "error"}}]),
        json!([
            result(json!({"ruleId": "R", "provenance": {"invocationIndex": 1}})),
            result(json!({"ruleId": "R", "provenance": {"invocationIndex": 0}})),
            result(
                json!({"ruleId": "R", "provenance": {"invocationIndex": 1}, "level": "warning"})
            ),
            result(json!({"ruleId": "R"})),
        ]),
    );
    let change = json!({"descriptor": {"id": "R"}, "configuration": {"level": "note", "rank": 20}});
    log["runs"][0]["invocations"] = json!([{}, {"ruleConfigurationOverrides": [change]}]);
    let findings = findings(&log);
    let severities: Vec<&str> = findings.iter().map(|finding| finding.severity).collect();
    assert_eq!(severities, ["low", "high", "medium", "high"]);
    assert_eq!(findings[0].confidence, Some(0.2));
    log["runs"][0]["results"][0]["provenance"]["invocationIndex"] = json!(2);
    assert_eq!(
        fault(&log),
        "$.runs[0].results[0].provenance.invocationIndex: 2 is out of range: the run has 2 invocations"
    );
}
