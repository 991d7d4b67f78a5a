//! Tells what became of a token, not each time: every request has one.

use pgrx::{register_xact_callback, PgXactCallbackEvent};
use serde_json::json;
use uuid::Uuid;

use crate::auth::outcomes::{record_failure, record_success, Outcome};
use crate::codeverify::told::Told;
use crate::codeverify::transaction::can_write;

/// A token of a key that is believed.
#[derive(Clone, Copy)]
pub struct Shown<'a> {
    pub jwt_key_id: Uuid,
    pub issuer: &'a str,
    /// Whose it is, and for which organization, as far as that is known.
    pub user_id: Option<Uuid>,
    pub org_id: Option<Uuid>,
}

/// Key, user, organization and status.
type Subject = (Uuid, Option<Uuid>, Option<Uuid>, &'static str);

thread_local! {
    static TOLD: Told<Subject> = Told::default();
}

/// Tells that a token was taken, if this session has not told so within a minute. Transactions that only read tell
/// nothing.
pub fn note_use(shown: Shown) {
    let subject = subject(shown, "ok");
    if !can_write() || TOLD.with(|told| told.is_recent(&subject)) {
        return;
    }
    // What is rolled back is not told.
    register_xact_callback(PgXactCallbackEvent::Commit, move || {
        TOLD.with(|told| told.remember(subject));
    });
    record_success(&Outcome {
        action: "web_token.accepted",
        org_id: shown.org_id,
        user_id: shown.user_id,
        resource_id: Some(shown.jwt_key_id),
        details: json!({ "issuer": shown.issuer }),
        ip_address: None,
        user_agent: None,
    });
}

/// Tells that a token was refused which an issuer did sign, if this session has not told so within a minute.
pub fn note_refusal(shown: Shown, reason: &'static str) {
    if TOLD.with(|told| told.was_told(subject(shown, reason))) {
        return;
    }
    record_failure(&Outcome {
        action: "web_token.refused",
        // Not in the ledger of an organization that the token only names: its user is none of its members.
        org_id: None,
        user_id: shown.user_id,
        resource_id: Some(shown.jwt_key_id),
        details: json!({
            "issuer": shown.issuer,
            "reason": reason,
            "org_id": shown.org_id.map(|id| id.to_string()),
        }),
        ip_address: None,
        user_agent: None,
    });
}

fn subject(shown: Shown, status: &'static str) -> Subject {
    (shown.jwt_key_id, shown.user_id, shown.org_id, status)
}
