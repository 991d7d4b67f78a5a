//! Suppressions of a result as the dismissal of a finding.

use serde_json::Value;

/// Whether tidied suppressions suppress the result, and why.
pub fn dismissal(suppressions: &[Value]) -> (bool, Option<String>) {
    let pending = |suppression: &Value| {
        let status = suppression.get("status").and_then(Value::as_str);
        matches!(status, Some("underReview" | "rejected"))
    };
    if suppressions.is_empty() || suppressions.iter().any(pending) {
        return (false, None);
    }
    let first = |key: &str| {
        suppressions
            .iter()
            .filter_map(|suppression| suppression.get(key)?.as_str())
            .find(|text| !text.trim().is_empty())
            .map(str::to_owned)
    };
    (true, first("justification").or_else(|| first("kind")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn said(suppressions: Value) -> (bool, Option<String>) {
        dismissal(suppressions.as_array().unwrap())
    }

    #[test]
    fn dismissals() {
        assert_eq!(said(json!([])), (false, None));
        assert_eq!(
            said(json!([{"kind": "inSource"}])),
            (true, Some("inSource".to_owned()))
        );
        assert_eq!(
            said(json!([
                {"kind": "inSource", "justification": " "},
                {"kind": "external", "status": "accepted", "justification": "false positive"},
            ])),
            (true, Some("false positive".to_owned()))
        );
        for status in ["underReview", "rejected"] {
            assert_eq!(
                said(json!([{"kind": "inSource"}, {"kind": "external", "status": status}])),
                (false, None)
            );
        }
    }
}
