use super::*;

#[test]
fn of_the_log() {
    for (log, problem) in [
        (json!([]), "$: must be an object, not an array"),
        (json!(null), "$: must be an object, not null"),
        (json!({"runs": []}), "$.version: is missing"),
        (
            json!({"version": "2.0.0", "runs": []}),
            "$.version: must be \"2.1.0\", not \"2.0.0\"",
        ),
        (
            json!({"version": 2.1, "runs": []}),
            "$.version: must be a string, not a number",
        ),
        (json!({"version": "2.1.0"}), "$.runs: is missing"),
        (
            json!({"version": "2.1.0", "runs": {}}),
            "$.runs: must be an array, not an object",
        ),
        (
            json!({"version": "2.1.0", "runs": [1]}),
            "$.runs[0]: must be an object, not a number",
        ),
        (
            json!({"version": "2.1.0", "runs": [{}]}),
            "$.runs[0].tool: is missing",
        ),
        (
            json!({"version": "2.1.0", "runs": [{"tool": {}}]}),
            "$.runs[0].tool.driver: is missing",
        ),
        (
            json!({"version": "2.1.0", "runs": [{"tool": {"driver": {"name": " "}}}]}),
            "$.runs[0].tool.driver.name: is missing or empty",
        ),
        (
            json!({"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "T"}},
                "externalPropertyFileReferences": {"results": [{}]}}]}),
            "$.runs[0].externalPropertyFileReferences.results: results in other files cannot be \
             read: put them into the log",
        ),
        (
            super::log(json!([]), json!({})),
            "$.runs[0].results: must be an array, not an object",
        ),
        (
            super::log(json!([]), json!([1])),
            "$.runs[0].results[0]: must be an object, not a number",
        ),
        (
            super::log(json!([{}]), json!([])),
            "$.runs[0].tool.driver.rules[0].id: is missing",
        ),
        (
            super::log(json!([{"id": "a\u{0}"}]), json!([])),
            "$.runs[0].tool.driver.rules[0].id: contains the character U+0000",
        ),
    ] {
        assert_eq!(fault(&log), problem);
    }
}

#[test]
fn nothing_is_no_fault() {
    assert_eq!(runs_of(&json!({"version": "2.1.0", "runs": null})).len(), 0);
    assert_eq!(runs_of(&json!({"version": "2.1.0", "runs": []})).len(), 0);
    assert_eq!(findings(&log(Value::Null, Value::Null)).len(), 0);
    assert_eq!(findings(&log(json!([]), json!([]))).len(), 0);
}

#[test]
fn of_a_result() {
    let physical = ".locations[0].physicalLocation";
    for (members, problem) in [
        (json!({"message": null}), ".message: is missing".to_owned()),
        (
            json!({"message": "m"}),
            ".message: must be an object, not a string".to_owned(),
        ),
        (
            json!({"kind": "maybe"}),
            ".kind: \"maybe\" is not one of notApplicable, pass, fail, \
                                    review, open, informational"
                .to_owned(),
        ),
        (
            json!({"locations": {}}),
            ".locations: must be an array, not an object".to_owned(),
        ),
        (
            json!({"locations": region(json!({"startLine": 5, "endLine": 4}))}),
            format!("{physical}.region.endLine: 4 is less than startLine, 5"),
        ),
        (
            json!({"locations": region(json!({"startLine": 0}))}),
            format!("{physical}.region.startLine: 0 is no line number"),
        ),
        (
            json!({"locations": region(json!({"startLine": 2147483648u32}))}),
            format!("{physical}.region.startLine: 2147483648 is out of the range of an integer"),
        ),
        (
            json!({"locations": region(json!({"startLine": 1.5}))}),
            format!("{physical}.region.startLine: must be an integer, not 1.5"),
        ),
        (
            json!({"fingerprints": {"a": 1}}),
            ".fingerprints.a: must be a string, not a number".to_owned(),
        ),
        (
            json!({"suppressions": [{}]}),
            ".suppressions[0].kind: is missing or empty".to_owned(),
        ),
        (
            json!({"properties": {"tags": "a"}}),
            ".properties.tags: must be an array, not a string".to_owned(),
        ),
        (
            json!({"properties": {"codeverify/v1": {"category": "x"}}}),
            ".properties['codeverify/v1'].category: \"x\" is not one of verification, security, \
             semantic"
                .to_owned(),
        ),
        (
            json!({"properties": {"codeverify/v1": {"line_start": 3, "line_end": 2}}}),
            ".properties['codeverify/v1'].line_end: 2 is less than line_start, 3".to_owned(),
        ),
        (
            json!({"properties": {"codeverify/v1": {"confidence": 1.1}}}),
            ".properties['codeverify/v1'].confidence: must be between 0 and 1".to_owned(),
        ),
        (
            json!({"properties": {"codeverify/v1": {"title": null}}}),
            ".properties['codeverify/v1'].title: must be a string, not null".to_owned(),
        ),
        (
            json!({"codeFlows": [{"threadFlows": [{"locations": [{"index": 0}]}]}]}),
            ".codeFlows[0].threadFlows[0].locations[0].index: 0 is out of range: the run has 0 \
             threadFlowLocations"
                .to_owned(),
        ),
    ] {
        assert_eq!(result_fault(json!([]), members), problem);
    }
}

#[test]
fn references_cannot_fill_the_memory() {
    let text = "x".repeat(1000);
    let rules = json!([
        {"id": "R", "messageStrings": {"big": {"text": text}}},
        {"id": "S", "fullDescription": {"text": text}, "name": text},
        {"id": "T", "properties": {"tags": [text]}},
    ]);
    let by_id = json!({"ruleId": "R", "message": {"id": "big"}});
    let evasive = json!({"ruleId": "R", "message": {"id": "big", "text": null}});
    let by_rule = result(json!({"ruleId": "S"}));
    let by_tag = result(json!({"ruleId": "T"}));
    for (one, path) in [
        (by_id, "$.runs[0].results[10].message"),
        (evasive, "$.runs[0].results[10].message"),
        (by_rule, "$.runs[0].results[8]"),
        (by_tag, "$.runs[0].results[10]"),
    ] {
        let log = log(rules.clone(), Value::Array(vec![one; 20]));
        let fault = reading::log::read_within(11_000, &log, &mut || {}).unwrap_err();
        assert_eq!(fault.path, path);
        assert_eq!(
            fault.problem,
            "references expand the log by more than 11000 bytes"
        );
    }
}
