//! The JSON schemas that the parameters of alert rules are held to, one for each type.

use std::fmt::Write;
use std::sync::LazyLock;

use jsonschema::paths::{Location, LocationSegment};
use jsonschema::Validator;
use serde_json::Value;

/// The schemas as they are written, by type of rule.
const SOURCES: [(&str, &str); 2] = [
    ("error_count", include_str!("error_count.json")),
    (
        "deployment_failure",
        include_str!("deployment_failure.json"),
    ),
];

/// What one type of rule takes.
pub struct Schema {
    rule_type: &'static str,
    pub document: Value,
    validator: Validator,
}

/// What is wrong with parameters.
#[derive(Debug, PartialEq, Eq)]
pub struct Fault {
    /// JSON path, from `$`.
    pub path: String,
    pub problem: String,
}

/// Compiled once per process, when the first is asked for.
static SCHEMAS: LazyLock<Vec<Schema>> = LazyLock::new(|| {
    SOURCES
        .iter()
        .filter_map(|(rule_type, source)| {
            let document = serde_json::from_str(source).ok()?;
            let validator = jsonschema::validator_for(&document).ok()?;
            Some(Schema {
                rule_type,
                document,
                validator,
            })
        })
        .collect()
});

/// The schema of a type of rule; None for one that does not exist.
pub fn of(rule_type: &str) -> Option<&'static Schema> {
    SCHEMAS.iter().find(|schema| schema.rule_type == rule_type)
}

impl Schema {
    /// All that is wrong with parameters, given as JSON text.
    pub fn faults(&self, params: &str) -> Vec<Fault> {
        match serde_json::from_str(params) {
            Ok(params) => self
                .validator
                .iter_errors(&params)
                .map(|error| Fault {
                    path: json_path(error.instance_path()),
                    // The value itself may be as long as it likes, and is in the caller's hands.
                    problem: error.masked_with("the value").to_string(),
                })
                .collect(),
            // Valid for jsonb, but nested or with numbers beyond what any parameter takes.
            Err(error) => vec![Fault {
                path: "$".to_owned(),
                problem: format!("the value cannot be read: {error}"),
            }],
        }
    }

    /// The parameters with the defaults of those that are left out.
    pub fn complete(&self, mut params: Value) -> Value {
        let known = self.document["properties"].as_object();
        if let (Value::Object(params), Some(known)) = (&mut params, known) {
            for (name, property) in known {
                if let (Some(default), false) = (property.get("default"), params.contains_key(name))
                {
                    params.insert(name.clone(), default.clone());
                }
            }
        }
        params
    }
}

/// As in `$.levels[0]`.
fn json_path(location: &Location) -> String {
    let mut path = String::from("$");
    for segment in location {
        // Writing to a String does not fail.
        let _ = match segment {
            LocationSegment::Property(name) => write!(path, ".{name}"),
            LocationSegment::Index(index) => write!(path, "[{index}]"),
        };
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn faults(rule_type: &str, params: Value) -> Vec<Fault> {
        of(rule_type).unwrap().faults(&params.to_string())
    }

    fn only_fault(rule_type: &str, params: Value) -> (String, String) {
        let mut faults = faults(rule_type, params);
        assert_eq!(faults.len(), 1, "{faults:?}");
        let fault = faults.remove(0);
        (fault.path, fault.problem)
    }

    #[test]
    fn every_schema_compiles_is_a_schema_and_takes_its_own_defaults() {
        assert_eq!(SCHEMAS.len(), SOURCES.len());
        for schema in SCHEMAS.iter() {
            assert!(jsonschema::meta::is_valid(&schema.document));
            let defaults = schema.complete(json!({}));
            assert_eq!(schema.faults(&defaults.to_string()), []);
            assert_eq!(schema.complete(defaults.clone()), defaults);
        }
        assert!(of("ERROR_COUNT").is_none());
    }

    #[test]
    fn every_parameter_is_described() {
        for schema in SCHEMAS.iter() {
            for (name, property) in schema.document["properties"].as_object().unwrap() {
                assert!(property["description"].is_string(), "{name}");
            }
        }
    }

    #[test]
    fn what_is_given_goes_before_defaults() {
        let completed = of("error_count")
            .unwrap()
            .complete(json!({"threshold": 3, "levels": ["warn"]}));
        assert_eq!(completed["threshold"], 3);
        assert_eq!(completed["levels"], json!(["warn"]));
        assert_eq!(completed["window_minutes"], 5);
        assert_eq!(completed.get("title"), None);
        assert_eq!(of("error_count").unwrap().complete(json!([1])), json!([1]));
    }

    #[test]
    fn faults_tell_where_and_what_but_not_the_value() {
        assert_eq!(
            only_fault("error_count", json!({"threshold": 0})),
            (
                "$.threshold".into(),
                "the value is less than the minimum of 1".into()
            )
        );
        assert_eq!(
            only_fault("error_count", json!({"levels": ["error", "loud"]})).0,
            "$.levels[1]"
        );
        let (path, problem) = only_fault("error_count", json!({"tresholt": 1}));
        assert_eq!(path, "$");
        assert!(problem.contains("tresholt"), "{problem}");
        let (_, problem) = only_fault("error_count", json!({"title": "x".repeat(100_000)}));
        assert!(problem.len() < 100, "{problem}");
        assert_eq!(faults("error_count", json!([])).len(), 1);
        assert_eq!(
            faults("error_count", json!({"threshold": "1", "title": ""})).len(),
            2
        );
    }

    #[test]
    fn bounds_are_inclusive() {
        for (rule_type, name, least, most) in [
            ("error_count", "threshold", 1, 1_000_000_000),
            ("error_count", "window_minutes", 1, 1440),
            ("error_count", "cool_down_minutes", 0, 10080),
            ("deployment_failure", "threshold", 1, 1_000_000_000),
            ("deployment_failure", "window_minutes", 1, 1440),
            ("deployment_failure", "cool_down_minutes", 0, 10080),
        ] {
            for (value, taken) in [
                (least - 1, false),
                (least, true),
                (most, true),
                (most + 1, false),
            ] {
                assert_eq!(
                    faults(rule_type, json!({ name: value })).is_empty(),
                    taken,
                    "{rule_type} {name} {value}"
                );
            }
            assert!(!faults(rule_type, json!({ name: 1.5 })).is_empty());
            assert!(!faults(rule_type, json!({ name: null })).is_empty());
        }
    }

    #[test]
    fn identifiers_have_the_form_of_a_uuid() {
        let id = "0123abcd-0123-0123-0123-0123456789AB";
        for name in ["service_id", "environment_id"] {
            assert_eq!(faults("error_count", json!({ name: id })), []);
            for wrong in ["", "x", &id[1..], &format!("{id}0"), &format!("{id}\n")] {
                assert_eq!(
                    faults("error_count", json!({ name: wrong })).len(),
                    1,
                    "{wrong:?}"
                );
            }
        }
        assert_eq!(faults("deployment_failure", json!({"repo_id": id})), []);
        assert_eq!(
            faults("deployment_failure", json!({"service_id": id})).len(),
            1
        );
    }

    #[test]
    fn what_jsonb_takes_and_no_schema_reads_is_a_fault() {
        let schema = of("error_count").unwrap();
        for text in [
            format!("{{\"threshold\": 1{}}}", "0".repeat(400)),
            "[".repeat(1000) + &"]".repeat(1000),
        ] {
            assert_eq!(schema.faults(&text)[0].path, "$");
        }
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            ".{0,8}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 16, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(
                    prop_oneof![
                        "[a-z]{1,4}",
                        Just("threshold".to_owned()),
                        Just("levels".to_owned())
                    ],
                    inner,
                    0..4
                )
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn completing_keeps_what_is_valid_valid_and_what_is_not_invalid(params in any_json()) {
            for schema in SCHEMAS.iter() {
                let before = schema.faults(&params.to_string());
                let after = schema.faults(&schema.complete(params.clone()).to_string());
                prop_assert_eq!(before, after);
            }
        }
    }
}
