//! What must hold for any input.

use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;

use super::super::fingerprint::{encode, Identity};
use super::schema::assert_valid;
use super::*;

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z]{0,4}",
        "\\PC{0,12}",
        "[a-zA-Z0-9 %./:#?{}\\[\\]\\\\-]{0,12}",
        Just("../x/./y".to_owned()),
        Just("https://example.com/ x".to_owned()),
        Just("CWE-79".to_owned()),
    ]
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        4 => Just(Value::Null),
        4 => any::<bool>().prop_map(Value::from),
        4 => any::<i64>().prop_map(Value::from),
        4 => (-3i32..5).prop_map(Value::from),
        4 => any::<f64>().prop_map(Value::from),
        8 => text().prop_map(Value::from),
        1 => Just(json!("a\u{0}b")),
        4 => Just(json!("note")),
        4 => Just(json!("external")),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            btree_map(member_name(), inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn member_name() -> impl Strategy<Value = String> {
    prop_oneof![
        text(),
        proptest::sample::select(vec![
            "text",
            "id",
            "uri",
            "index",
            "region",
            "startLine",
            "endLine",
            "message",
            "tags",
            "properties",
            "kind",
            "level",
            "sarif",
            "cwe",
            "rule",
            "tool",
            "name",
            "location",
            "snippet",
            "codeverify/v1",
            "suppressions",
            "fixes",
            "rank",
        ])
        .prop_map(str::to_owned),
    ]
}

/// Pointers to every value of a log.
fn pointers(value: &Value, here: String, all: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (key, member) in members {
                let key = key.replace('~', "~0").replace('/', "~1");
                pointers(member, format!("{here}/{key}"), all);
            }
        }
        Value::Array(items) => {
            for (position, item) in items.iter().enumerate() {
                pointers(item, format!("{here}/{position}"), all);
            }
        }
        _ => {}
    }
    all.push(here);
}

#[derive(Debug, Clone)]
enum Change {
    Replace(Value),
    Insert(String, Value),
    /// Another text or number, or an element or member less or twice: mostly still valid.
    Nudge(String, i32, usize),
}

impl Change {
    fn apply(self, target: &mut Value) {
        match (self, target) {
            (Change::Replace(value), target) => *target = value,
            (Change::Insert(name, value), Value::Object(members)) => {
                members.insert(name, value);
            }
            (Change::Insert(_, value), Value::Array(items)) => items.push(value),
            (Change::Insert(..), _) => {}
            (Change::Nudge(text, ..), Value::String(old)) => *old = text,
            (Change::Nudge(_, number, _), target @ Value::Number(_)) => *target = json!(number),
            (Change::Nudge(_, number, place), Value::Array(items)) if !items.is_empty() => {
                let place = place % items.len();
                if number % 2 == 0 {
                    items.remove(place);
                } else {
                    items.push(items[place].clone());
                }
            }
            (Change::Nudge(_, _, place), Value::Object(members)) if !members.is_empty() => {
                let names: Vec<String> = members.keys().cloned().collect();
                members.remove(&names[place % names.len()]);
            }
            (Change::Nudge(..), _) => {}
        }
    }
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        2 => json_value().prop_map(Change::Replace),
        2 => (member_name(), json_value()).prop_map(|(name, value)| Change::Insert(name, value)),
        6 => (text(), -2i32..12, 0usize..20)
            .prop_map(|(text, number, place)| Change::Nudge(text, number, place)),
    ]
}

/// The full log with a few changes.
fn mutated_log() -> impl Strategy<Value = Value> {
    let mut all = Vec::new();
    pointers(&full_log(), String::new(), &mut all);
    let place = proptest::sample::select(all);
    vec((place, change()), 1..4).prop_map(|changes| {
        let mut log = full_log();
        for (pointer, change) in changes {
            if let Some(target) = log.pointer_mut(&pointer) {
                change.apply(target);
            }
        }
        log
    })
}

fn nearly_any_finding() -> impl Strategy<Value = StoredFinding> {
    let long = (text(), option::of(text()), text(), option::of(text()));
    let more = (option::of(text()), option::of(text()), option::of(text()));
    let lines = option::of((1i32..9, option::of(0i32..9)));
    let words = (0usize..3, 0usize..4, option::of(0usize..3));
    let metadata = prop_oneof![
        btree_map(member_name(), json_value(), 0..4)
            .prop_map(|members| Value::Object(members.into_iter().collect())),
        btree_map(member_name(), json_value(), 0..6).prop_map(|members| json!({"sarif": members})),
        Just(json!({})),
    ];
    let confidence = option::of(0.0..=1.0f64);
    let rest = (metadata, any::<bool>(), option::of(text()), confidence);
    (long, more, lines, words, rest).prop_map(|(long, more, lines, words, rest)| StoredFinding {
        rule_id: more.2.clone(),
        category: ["verification", "security", "semantic"][words.0].to_owned(),
        severity: ["critical", "high", "medium", "low"][words.1].to_owned(),
        verification_type: words
            .2
            .map(|word| ["formal", "ai", "pattern"][word].to_owned()),
        title: long.0,
        description: long.1,
        file_path: long.2,
        code_snippet: long.3,
        fix_suggestion: more.0,
        fix_diff: more.1,
        verification_proof: more.2,
        line_start: lines.map(|lines| lines.0),
        line_end: lines.and_then(|lines| Some(lines.0 + lines.1?)),
        confidence: rest.3,
        metadata: without_nul(rest.0),
        dismissed: rest.1,
        dismissed_reason: rest.2,
        fingerprint: None,
    })
}

/// The database cannot hold U+0000.
fn without_nul(value: Value) -> Value {
    serde_json::from_str(&value.to_string().replace("\\u0000", "")).unwrap()
}

fn pairs() -> impl Strategy<Value = Vec<(String, String)>> {
    btree_map("[ab]{0,2}", "[ab]{0,2}", 0..3).prop_map(|pairs| pairs.into_iter().collect())
}

#[derive(Debug, Clone, PartialEq)]
struct Owned {
    tool: String,
    rule: Option<String>,
    pairs: Vec<(String, String)>,
    file: String,
    region: [Option<i32>; 8],
    message: String,
    form: u8,
}

impl Owned {
    /// What the encoding is of, in a form that can be compared.
    fn identity(&self) -> Identity<'_> {
        let pairs = self.pairs.iter();
        let pairs = pairs
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        match self.form {
            0 => Identity::Full(pairs),
            1 => Identity::Partial(pairs, &self.file),
            _ => Identity::Content(&self.file, self.region, &self.message),
        }
    }

    fn encoded(&self) -> Vec<u8> {
        encode(&self.tool, self.rule.as_deref(), &self.identity())
    }
}

fn identity() -> impl Strategy<Value = Owned> {
    let region = proptest::array::uniform8(option::of(0i32..2));
    (
        "[ab]{0,2}",
        option::of("[ab]{0,2}"),
        pairs(),
        "[ab]{0,2}",
        region,
        "[ab]{0,2}",
        0u8..3,
    )
        .prop_map(|(tool, rule, pairs, file, region, message, form)| Owned {
            tool,
            rule,
            pairs,
            file,
            region,
            message,
            form,
        })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases()) })]

    #[test]
    fn any_value_is_read_or_refused(log in json_value()) {
        let _ = read_log(&log, &mut || {});
    }

    #[test]
    fn a_mutated_log_is_refused_or_comes_back(log in mutated_log()) {
        if let Ok(runs) = read_log(&log, &mut || {}) {
            let findings: Vec<StoredFinding> =
                runs.iter().flat_map(|run| &run.results).map(store).collect();
            assert_valid(&assert_comes_back(&findings));
        }
    }

    #[test]
    fn any_findings_come_back(findings in vec(nearly_any_finding(), 0..4)) {
        assert_valid(&assert_comes_back(&findings));
    }

    #[test]
    fn encodings_are_injective(one in identity(), other in identity()) {
        let same = one.tool == other.tool
            && one.rule == other.rule
            && one.identity() == other.identity();
        prop_assert_eq!(one.encoded() == other.encoded(), same);
    }
}

/// PROPTEST_CASES asks for more.
fn cases() -> u32 {
    let asked = std::env::var("PROPTEST_CASES").ok();
    asked.and_then(|cases| cases.parse().ok()).unwrap_or(256)
}
