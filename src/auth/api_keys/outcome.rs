//! Tells what became of a key that was shown, not each time: once a minute for each key. Where the library is preloaded,
//! it is counted in shared memory and told by a writer; elsewhere by the session itself.

use pgrx::pg_sys;
use serde_json::{json, Value};
use uuid::Uuid;

use super::stored::StoredKey;
use crate::auth::outcomes::{record_failure, record_success, Outcome};
use crate::auth::rate_limits::uses;
use crate::auth::told::was_told;
use crate::codeverify::owner::as_owner;
use crate::codeverify::query::update_one;
use crate::codeverify::settings::own_transactions;
use crate::tenancy::settings;
use crate::tenancy::sql::to_datum;

const MINUTE: i64 = 60 * 1_000_000;

/// Tells that a key was accepted, and stamps it, if a minute has passed since that was done last. Never waits for
/// another user of the key.
pub fn note_use(key: &StoredKey) {
    if own_transactions() && uses::note_use(key.id, key.org_id) {
        return;
    }
    // SAFETY: reads when the transaction began, which is what the stamp says.
    let now = unsafe { pg_sys::GetCurrentTransactionStartTimestamp() };
    let is_fresh = key
        .last_used_at
        .is_some_and(|used| used >= now.saturating_sub(MINUTE));
    if is_fresh || !can_write() {
        return;
    }
    let stamped = as_owner(|| {
        update_one::<bool>(
            "UPDATE auth.api_keys SET last_used_at = pg_catalog.now() \
             WHERE id = (SELECT k.id FROM auth.api_keys AS k \
                         WHERE k.id = $1 \
                           AND (k.last_used_at < pg_catalog.now() - interval '1 minute' OR k.last_used_at IS NULL) \
                         FOR NO KEY UPDATE SKIP LOCKED) \
             RETURNING true",
            &[to_datum(key.id).into()],
        )
    });
    if stamped.is_some() {
        record_success(&outcome(key, "api_key.authenticated", json!({})));
    }
}

/// Tells that a key which is known was refused, and why.
pub fn note_refusal(key: &StoredKey, reason: &'static str) {
    if own_transactions() && uses::note_refusal(key.id, key.org_id, reason) {
        return;
    }
    if was_told((key.id, None, reason)) {
        return;
    }
    record_failure(&outcome(
        key,
        "api_key.refused",
        json!({ "reason": reason }),
    ));
}

/// Tells what somebody did to a key.
pub fn record(action: &'static str, org_id: Uuid, key_id: Uuid, details: Value) {
    record_success(&Outcome {
        action,
        org_id: Some(org_id),
        user_id: settings::user_id(),
        resource_id: Some(key_id),
        details,
        ip_address: None,
        user_agent: None,
    });
}

fn outcome<'a>(key: &StoredKey, action: &'static str, details: Value) -> Outcome<'a> {
    Outcome {
        action,
        org_id: Some(key.org_id),
        user_id: None,
        resource_id: Some(key.id),
        details,
        ip_address: None,
        user_agent: None,
    }
}

/// A standby is always read-only, and above READ COMMITTED a stamp that another transaction has renewed since our
/// snapshot would end this one with a serialization failure.
fn can_write() -> bool {
    // SAFETY: reads two flags of the current transaction.
    unsafe { !pg_sys::XactReadOnly && pg_sys::XactIsoLevel <= pg_sys::XACT_READ_COMMITTED as i32 }
}
