//! Functions of passwords; their comments and grants are in sql/auth/passwords.sql.

use pgrx::prelude::*;
use pgrx::JsonB;
use serde_json::{json, Value};
use uuid::Uuid;

use super::hash::Stored;
use super::text::Prepared;
use super::Checked;
use crate::auth::caller::{self, require_self_or_service};
use crate::auth::lockout::{self, Verdict};
use crate::auth::login::retry_at;
use crate::auth::outcomes::{record_failure, record_success, Outcome};
use crate::auth::sessions::{current, revoke_all, Reason};
use crate::auth::users::{require_user_id, User};
use crate::codeverify::errors::Error;
use crate::codeverify::owner::{as_owner, caller_has_role};
use crate::codeverify::query::update_one;
use crate::codeverify::raise::{or_raise, raise};
use crate::codeverify::unlogged_statement::UnloggedStatement;
use crate::tenancy::sql::to_datum;

extension_sql_file!(
    "../../../sql/auth/passwords.sql",
    name = "auth_passwords",
    requires = [change_password, import_password_hash]
);

#[pg_extern(schema = "auth", volatile, parallel_unsafe)]
fn change_password(
    user_id: Option<pgrx::Uuid>,
    old_password: Option<&str>,
    new_password: Option<&str>,
) -> JsonB {
    let _unlogged = UnloggedStatement::begin();
    let user_id = or_raise(require_user_id(user_id));
    or_raise(require_self_or_service(user_id));
    // Says nothing of the old password, so it is no attempt at it.
    let prepared = match Prepared::to_set(new_password.unwrap_or_default()) {
        Ok(prepared) => prepared,
        Err(unfit) => {
            return JsonB(json!({ "status": "invalid_password", "reason": unfit.name() }));
        }
    };
    let user = or_raise(User::find(user_id));
    let ip_address = caller::ip_address(None);
    let attempt = match lockout::begin_for(user_id, &user.account(user_id), ip_address.as_deref()) {
        Verdict::Go(attempt) => attempt,
        Verdict::Locked { until } => {
            failed(user_id, "locked", ip_address.as_deref());
            return JsonB(json!({ "status": "locked", "retry_at": retry_at(until) }));
        }
    };
    let checked = super::check(
        user.password_hash.as_deref(),
        old_password.unwrap_or_default(),
    );
    if !matches!(checked, Checked::Right { .. }) {
        failed(user_id, checked.reason(), ip_address.as_deref());
        return status("invalid_credentials");
    }
    attempt.succeed();
    let new_hash = super::hash(&prepared);
    if !super::replace(user_id, user.password_hash.as_deref(), &new_hash) {
        // It was changed by somebody else since it was read.
        failed(user_id, "wrong_password", ip_address.as_deref());
        return status("invalid_credentials");
    }
    let sessions = revoke_all(user_id, current(), Reason::PasswordChanged);
    record_success(&about(
        "password.changed",
        user_id,
        json!({ "sessions_revoked": sessions }),
        ip_address.as_deref(),
    ));
    JsonB(json!({ "status": "ok", "sessions_revoked": sessions }))
}

fn failed(user_id: Uuid, reason: &str, ip_address: Option<&str>) {
    record_failure(&about(
        "password.change_failed",
        user_id,
        json!({ "reason": reason }),
        ip_address,
    ));
}

#[pg_extern(schema = "auth", volatile, parallel_unsafe)]
fn import_password_hash(user_id: Option<pgrx::Uuid>, hash: Option<&str>) {
    let _unlogged = UnloggedStatement::begin();
    // The grant says so too, but default privileges of a database can widen grants.
    if !caller_has_role(c"codeverify_admin") {
        raise(Error::NotTheAdministrator);
    }
    let user_id = or_raise(require_user_id(user_id));
    let hash = or_raise(
        hash.filter(|hash| Stored::parse(hash).is_some())
            .ok_or(Error::InvalidPasswordHash),
    );
    let user = or_raise(User::find(user_id));
    if user.password_hash.as_deref() == Some(hash) {
        return;
    }
    // An import moves users here; it is no way to set a password that somebody else knows.
    if user.password_hash.is_some() || !set_first(user_id, hash) {
        raise(Error::InvalidUserRequest {
            problem: "the user has a password already",
        });
    }
    record_success(&about(
        "password.imported",
        user_id,
        json!({ "kind": Stored::parse(hash).map(|hash| hash.kind()) }),
        None,
    ));
}

fn set_first(user_id: Uuid, hash: &str) -> bool {
    as_owner(|| {
        update_one::<bool>(
            "UPDATE auth.users \
             SET password_hash = $2, password_changed_at = pg_catalog.clock_timestamp() \
             WHERE id = $1 AND password_hash IS NULL \
             RETURNING true",
            &[to_datum(user_id).into(), hash.into()],
        )
    })
    .unwrap_or(false)
}

fn about<'a>(
    action: &'static str,
    user_id: Uuid,
    details: Value,
    ip_address: Option<&'a str>,
) -> Outcome<'a> {
    Outcome {
        user_id: Some(user_id),
        resource_id: Some(user_id),
        ip_address,
        ..Outcome::of(action, details)
    }
}

fn status(word: &str) -> JsonB {
    JsonB(json!({ "status": word }))
}
