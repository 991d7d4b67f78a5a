//! Functions about locked accounts; their comments and grants are in sql/auth/lockout.sql.

use pgrx::prelude::*;
use pgrx::JsonB;
use serde_json::json;
use uuid::Uuid;

use crate::auth::lockout;
use crate::auth::outcomes::{record_success, Outcome};
use crate::codeverify::owner::as_owner;
use crate::codeverify::query::select_one;
use crate::tenancy::settings;
use crate::tenancy::sql::{from_datum, to_datum};

extension_sql_file!(
    "../../../sql/auth/lockout.sql",
    name = "auth_lockout",
    requires = [unlock_user]
);

#[pg_extern(schema = "auth", volatile, parallel_unsafe)]
fn unlock_user(user_id: Option<pgrx::Uuid>) -> JsonB {
    let Some(user_id) = user_id.map(from_datum) else {
        return JsonB(json!({ "status": "unknown_user" }));
    };
    let Some(email) = as_owner(|| find_email(user_id)) else {
        return JsonB(json!({ "status": "unknown_user" }));
    };
    lockout::unlock(&email);
    lockout::unlock_second_factor(user_id);
    record_success(&Outcome {
        resource_id: Some(user_id),
        user_id: settings::user_id(),
        ..Outcome::of("user.unlocked", json!({}))
    });
    JsonB(json!({ "status": "ok" }))
}

/// As it is compared; empty for a user without one, who cannot be locked.
fn find_email(user_id: Uuid) -> Option<String> {
    select_one::<String>(
        "SELECT coalesce(lower(email), '') FROM auth.users WHERE id = $1",
        &[to_datum(user_id).into()],
    )
}
