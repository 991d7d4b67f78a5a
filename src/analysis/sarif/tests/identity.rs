use std::collections::HashSet;

use super::*;

fn prints(results: Value) -> Vec<String> {
    let findings = findings(&log(json!([]), results));
    findings
        .into_iter()
        .map(|finding| finding.fingerprint)
        .collect()
}

fn print(members: Value) -> String {
    prints(json!([result(members)])).remove(0)
}

#[test]
fn is_64_digits() {
    let print = print(json!({}));
    assert_eq!(print.len(), 64);
    assert!(print
        .bytes()
        .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)));
}

/// Stored fingerprints must never change: this one is part of the format.
#[test]
fn is_stable() {
    let members = json!({"ruleId": "R", "locations": region(json!({"startLine": 3}))});
    assert_eq!(
        print(members),
        "ec735044ddf5421b080125c8948ec5909bdaee01e38b89a3767e00b8d9d0bf63"
    );
}

#[test]
fn is_by_content() {
    let base = json!({"ruleId": "R", "locations": region(json!({"startLine": 3}))});
    let prints: HashSet<String> = [
        base.clone(),
        json!({"ruleId": "S", "locations": base["locations"]}),
        json!({"ruleId": "R", "locations": region(json!({"startLine": 4}))}),
        json!({"ruleId": "R", "locations": region(json!({"startLine": 3, "startColumn": 1}))}),
        json!({"ruleId": "R", "locations": at("b")}),
        json!({"ruleId": "R", "locations": base["locations"], "message": {"text": "n"}}),
        json!({"locations": base["locations"]}),
    ]
    .into_iter()
    .map(print)
    .collect();
    assert_eq!(prints.len(), 7);
    let mut same = base.clone();
    same["guid"] = json!("40000000-0000-4000-8000-000000000000");
    same["level"] = json!("error");
    assert_eq!(print(same), print(base));
}

#[test]
fn is_by_fingerprints_first() {
    let full = json!({"fingerprints": {"a": "1"}});
    let moved = json!({"fingerprints": {"a": "1"}, "locations": at("b"), "message": {"text": "n"},
                       "partialFingerprints": {"p": "1"}});
    assert_eq!(print(full.clone()), print(moved));
    assert_ne!(
        print(full.clone()),
        print(json!({"fingerprints": {"a": "2"}}))
    );
    assert_ne!(
        print(full),
        print(json!({"partialFingerprints": {"a": "1"}}))
    );
    let partial = |line: i32, file: &str| {
        let locations = json!([{"physicalLocation": {
            "artifactLocation": {"uri": file}, "region": {"startLine": line}}}]);
        print(json!({"partialFingerprints": {"p": "1"}, "locations": locations}))
    };
    assert_eq!(partial(1, "a"), partial(2, "./a"));
    assert_ne!(partial(1, "a"), partial(1, "b"));
}

#[test]
fn repetitions_stay_apart() {
    let one = result(json!({"fingerprints": {"a": "1"}}));
    let three = prints(json!([one, one, one]));
    assert_eq!(three.iter().collect::<HashSet<_>>().len(), 3);
    assert_eq!(three, prints(json!([one, one, one])));
    assert_eq!(three[..2], prints(json!([one, one]))[..]);
    let run = log(json!([]), json!([one]))["runs"][0].clone();
    let twice = findings(&json!({"version": "2.1.0", "runs": [run, run]}));
    assert_eq!(twice[0].fingerprint, three[0]);
    assert_eq!(twice[1].fingerprint, three[1]);
}

#[test]
fn own_fingerprints_are_taken() {
    let own = "0123456789abcdef".repeat(4);
    let members = json!({"fingerprints": {"codeverify/v1": own, "x": "y"}});
    assert_eq!(print(members.clone()), own);
    let finding = finding(json!([]), members);
    assert_eq!(finding.metadata["sarif"]["fingerprints"], json!({"x": "y"}));
    let upper = json!({"fingerprints": {"codeverify/v1": own.to_uppercase()}});
    assert_eq!(print(upper), own);
    let short = json!({"fingerprints": {"codeverify/v1": "abc"}});
    assert_eq!(print(short).len(), 64);
}
