//! The dismissal of a finding as suppressions of its result.

use serde_json::{json, Value};

use crate::analysis::sarif::reading::suppressions::dismissal;

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
