//! Tells what became of a token, not each time: every request has one.

use std::cell::RefCell;
use std::collections::HashMap;

use pgrx::{pg_sys, register_xact_callback, PgXactCallbackEvent};
use serde_json::json;
use uuid::Uuid;

use crate::auth::outcomes::{record_failure, record_success, Outcome};
use crate::codeverify::time;

const MINUTE: i64 = 60 * 1_000_000;

/// How many outcomes a session keeps in mind. One that serves more people than this within a minute tells more often.
const MOST_TOLD: usize = 256;

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
    /// When an outcome was last told. Not in a table: a caller who rolls back would make it forgotten.
    static TOLD: RefCell<HashMap<Subject, i64>> = RefCell::default();
}

/// Tells that a token was taken, if this session has not told so within a minute. Transactions that only read tell
/// nothing.
pub fn note_use(shown: Shown) {
    // SAFETY: reads a flag of the current transaction.
    if unsafe { pg_sys::XactReadOnly } || is_told(shown, "ok") {
        return;
    }
    let subject = subject(shown, "ok");
    // What is rolled back is not told.
    register_xact_callback(PgXactCallbackEvent::Commit, move || remember(subject));
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
    if is_told(shown, reason) {
        return;
    }
    remember(subject(shown, reason));
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

fn is_told(shown: Shown, status: &'static str) -> bool {
    let since = time::stored_now().saturating_sub(MINUTE);
    TOLD.with_borrow(|told| {
        told.get(&subject(shown, status))
            .is_some_and(|time| *time > since)
    })
}

fn remember(subject: Subject) {
    TOLD.with_borrow_mut(|told| {
        if told.len() >= MOST_TOLD {
            told.clear();
        }
        told.insert(subject, time::stored_now());
    });
}
