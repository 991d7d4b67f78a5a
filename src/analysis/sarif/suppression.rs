//! Suppressions of a result, and dismissals of a finding.

use serde_json::{json, Value};

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

/// Suppressions that say what the finding says: those it came with unless it was dismissed or
/// reopened since.
pub fn suppressions(kept: &[Value], dismissed: bool, reason: Option<&str>) -> Vec<Value> {
    let (said, said_why) = dismissal(kept);
    match (dismissed, said) {
        (true, true) if said_why.as_deref() == reason => kept.to_vec(),
        (false, false) => kept.to_vec(),
        (true, _) => {
            let mut suppression = json!({"kind": "external", "status": "accepted"});
            if let (Some(reason), Some(members)) = (reason, suppression.as_object_mut()) {
                members.insert("justification".to_owned(), Value::from(reason));
            }
            vec![suppression]
        }
        (false, true) => {
            let mut all = kept.to_vec();
            all.push(json!({"kind": "external", "status": "rejected"}));
            all
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn findings_have_the_last_word() {
        let kept = [json!({"kind": "inSource"})];
        let again = |dismissed, reason| dismissal(&suppressions(&kept, dismissed, reason));
        assert_eq!(suppressions(&kept, true, Some("inSource")), kept);
        assert_eq!(again(true, Some("mine")), (true, Some("mine".to_owned())));
        assert_eq!(again(false, None), (false, None));
        assert_eq!(suppressions(&[], false, None), Vec::<Value>::new());
    }
}
