//! Tells what became of a key that was shown, not each time: once a minute for each key. Where the library is preloaded,
//! it is counted in shared memory and told by a writer; elsewhere by the session itself.

use pgrx::pg_sys;
use serde_json::{json, Value};
use uuid::Uuid;

use super::stored::StoredKey;
use crate::auth::outcomes::{record_failure, record_success, Outcome};
use crate::auth::rate_limits::uses;
use crate::codeverify::owner::as_owner;
use crate::codeverify::query::update_one;
use crate::codeverify::settings::own_transactions;
use crate::codeverify::told::Told;
use crate::codeverify::transaction::{can_write, reads_what_is_committed};
use crate::tenancy::settings;
use crate::tenancy::sql::to_datum;

const MINUTE: i64 = 60 * 1_000_000;

thread_local! {
    /// Keys and why they were refused.
    static TOLD: Told<(Uuid, &'static str)> = Told::default();
}

/// Stamps a key, where nobody is in the way. First come the rows that it refers to: whoever deletes one of them locks
/// it and goes on to the key, and would wait for this transaction while this one waits for a row of theirs, which it
/// does when it makes something that refers to it too.
const STAMP: &str = "\
    WITH used AS MATERIALIZED ( \
        SELECT k.id, k.org_id, k.service_id, k.created_by FROM auth.api_keys AS k \
        WHERE k.id = $1 \
          AND (k.last_used_at < pg_catalog.now() - interval '1 minute' OR k.last_used_at IS NULL)), \
    organization AS MATERIALIZED ( \
        SELECT FROM used JOIN tenancy.organizations AS o ON o.id = used.org_id FOR KEY SHARE OF o SKIP LOCKED), \
    author AS MATERIALIZED ( \
        SELECT FROM used JOIN auth.users AS u ON u.id = used.created_by FOR KEY SHARE OF u SKIP LOCKED), \
    service AS MATERIALIZED ( \
        SELECT FROM used \
        JOIN tenancy.services AS s ON s.org_id = used.org_id AND s.id = used.service_id \
        FOR KEY SHARE OF s SKIP LOCKED) \
    UPDATE auth.api_keys SET last_used_at = pg_catalog.now() \
    WHERE id = ( \
        SELECT k.id FROM auth.api_keys AS k JOIN used ON used.id = k.id \
        WHERE EXISTS (SELECT FROM organization) \
          AND (used.created_by IS NULL OR EXISTS (SELECT FROM author)) \
          AND (used.service_id IS NULL OR EXISTS (SELECT FROM service)) \
          AND (k.last_used_at < pg_catalog.now() - interval '1 minute' OR k.last_used_at IS NULL) \
        FOR NO KEY UPDATE OF k SKIP LOCKED) \
    RETURNING true";

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
    // Above READ COMMITTED a stamp that another transaction has renewed since our snapshot would end this one with a
    // serialization failure.
    if is_fresh || !can_write() || !reads_what_is_committed() {
        return;
    }
    let stamped = as_owner(|| update_one::<bool>(STAMP, &[to_datum(key.id).into()]));
    if stamped.is_some() {
        record_success(&outcome(key, "api_key.authenticated", json!({})));
    }
}

/// Tells that a key which is known was refused, and why.
pub fn note_refusal(key: &StoredKey, reason: &'static str) {
    if own_transactions() && uses::note_refusal(key.id, key.org_id, reason) {
        return;
    }
    if TOLD.with(|told| told.was_told((key.id, reason))) {
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
