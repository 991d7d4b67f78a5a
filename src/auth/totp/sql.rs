//! Functions of the second factor; their comments and grants are in sql/auth/totp.sql.

use pgrx::prelude::*;
use pgrx::JsonB;
use serde_json::{json, Value};
use uuid::Uuid;

use super::code::{otpauth_uri, Seed};
use super::factor::{Factor, State};
use super::settings::totp_issuer;
use crate::auth::caller;
use crate::auth::lockout::{self, Attempt, Verdict};
use crate::auth::login::retry_at;
use crate::auth::outcomes::{record_failure, record_success, Outcome};
use crate::auth::users::require_user_id;
use crate::codeverify::errors::Error;
use crate::codeverify::raise::{or_raise, raise};
use crate::codeverify::unlogged_statement::UnloggedStatement;
use crate::tenancy::settings;

extension_sql_file!(
    "../../../sql/auth/totp.sql",
    name = "auth_totp",
    requires = [
        enroll_totp,
        confirm_totp,
        disable_totp,
        create_recovery_codes,
        reset_totp
    ]
);

#[pg_extern(schema = "auth", volatile, parallel_unsafe)]
fn enroll_totp(user_id: Option<pgrx::Uuid>) -> JsonB {
    let user_id = themselves(user_id);
    let factor = or_raise(Factor::lock(user_id));
    if factor.state == State::InForce {
        return status("already_enrolled");
    }
    let bytes = or_raise(factor.enroll());
    succeeded("totp.enrolled", user_id, json!({}));
    let uri = otpauth_uri(&bytes[..], totp_issuer().as_deref(), &factor.name);
    JsonB(json!({
        "status": "ok",
        "otpauth_uri": uri.as_deref(),
        "secret": Seed::new(&bytes[..]).map(|seed| seed.base32().to_string()),
    }))
}

#[pg_extern(schema = "auth", volatile, parallel_unsafe)]
fn confirm_totp(user_id: Option<pgrx::Uuid>, code: Option<&str>) -> JsonB {
    let _unlogged = UnloggedStatement::begin();
    let user_id = themselves(user_id);
    match state(user_id) {
        State::NoFactor => status("not_enrolled"),
        State::InForce => status("already_enrolled"),
        State::Pending => after_proof(user_id, State::Pending, code, "confirm_totp", |factor| {
            factor.bring_into_force();
            succeeded("totp.confirmed", user_id, json!({}));
            with_recovery_codes(factor)
        }),
    }
}

#[pg_extern(schema = "auth", volatile, parallel_unsafe)]
fn disable_totp(user_id: Option<pgrx::Uuid>, code: Option<&str>) -> JsonB {
    let _unlogged = UnloggedStatement::begin();
    let user_id = themselves(user_id);
    if state(user_id) != State::InForce {
        return status("not_enrolled");
    }
    after_proof(user_id, State::InForce, code, "disable_totp", |factor| {
        factor.remove();
        succeeded("totp.disabled", user_id, json!({}));
        status("ok")
    })
}

#[pg_extern(schema = "auth", volatile, parallel_unsafe)]
fn create_recovery_codes(user_id: Option<pgrx::Uuid>, code: Option<&str>) -> JsonB {
    let _unlogged = UnloggedStatement::begin();
    let user_id = themselves(user_id);
    if state(user_id) != State::InForce {
        return status("not_enrolled");
    }
    after_proof(
        user_id,
        State::InForce,
        code,
        "create_recovery_codes",
        |factor| {
            succeeded("recovery_code.created", user_id, json!({}));
            with_recovery_codes(factor)
        },
    )
}

#[pg_extern(schema = "auth", volatile, parallel_unsafe)]
fn reset_totp(user_id: Option<pgrx::Uuid>) -> JsonB {
    // EXECUTE is for operators and the back end; whoever acts for a tenant is neither.
    if settings::org_id().is_some() {
        raise(Error::NotYourUser);
    }
    let user_id = or_raise(require_user_id(user_id));
    if !or_raise(Factor::lock(user_id)).remove() {
        return status("not_enrolled");
    }
    lockout::unlock_second_factor(user_id);
    succeeded("totp.disabled", user_id, json!({ "reset": true }));
    status("ok")
}

fn themselves(user_id: Option<pgrx::Uuid>) -> Uuid {
    let user_id = or_raise(require_user_id(user_id));
    or_raise(caller::require_self_or_service(user_id));
    user_id
}

fn state(user_id: Uuid) -> State {
    or_raise(Factor::read(user_id)).state
}

/// Does something for a user who shows by a code that they have the second factor. That is an attempt, which must
/// not succeed without one: it would make up for others that failed.
fn after_proof(
    user_id: Uuid,
    state: State,
    code: Option<&str>,
    function: &'static str,
    then: impl FnOnce(&Factor) -> JsonB,
) -> JsonB {
    // A field that a form left out is no guess.
    let Some(code) = code.filter(|code| !code.trim().is_empty()) else {
        return status("invalid");
    };
    let attempt = match begin(user_id) {
        Ok(attempt) => attempt,
        Err(locked) => return locked,
    };
    let Some(factor) = or_raise(Factor::prove(user_id, state, code)) else {
        return failed(user_id, function);
    };
    attempt.succeed();
    then(&factor)
}

/// Begins an attempt, before anything of the user is locked: whoever counts it waits for no lock of ours.
fn begin(user_id: Uuid) -> Result<Attempt, JsonB> {
    match lockout::begin_second_factor(user_id) {
        Verdict::Go(attempt) => Ok(attempt),
        Verdict::Locked { until } => Err(JsonB(json!({
            "status": "locked",
            "retry_at": retry_at(until),
        }))),
    }
}

fn with_recovery_codes(factor: &Factor) -> JsonB {
    let codes = or_raise(factor.create_recovery_codes());
    let texts: Vec<String> = codes.iter().map(|code| code.text().to_string()).collect();
    JsonB(json!({ "status": "ok", "recovery_codes": texts }))
}

fn status(status: &str) -> JsonB {
    JsonB(json!({ "status": status }))
}

fn succeeded(action: &'static str, user_id: Uuid, details: Value) {
    record_success(&outcome(action, user_id, details));
}

fn failed(user_id: Uuid, function: &str) -> JsonB {
    let details = json!({ "function": function });
    record_failure(&outcome("totp.failed", user_id, details));
    status("invalid")
}

fn outcome(action: &'static str, user_id: Uuid, details: Value) -> Outcome<'static> {
    Outcome {
        action,
        org_id: None,
        user_id: Some(user_id),
        resource_id: None,
        details,
        ip_address: None,
        user_agent: None,
    }
}
