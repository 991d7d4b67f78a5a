//! Functions of logging in; their comments and grants are in sql/auth/login.sql.

use pgrx::prelude::*;
use pgrx::JsonB;
use serde_json::{json, Map, Value};

use super::{attempt, retry_at, Answer, Request};
use crate::auth::caller;
use crate::codeverify::jsonb::JsonbArgument;
use crate::codeverify::raise::or_raise;
use crate::codeverify::unlogged_statement::UnloggedStatement;
use crate::tenancy::sql::from_datum;

extension_sql_file!(
    "../../../sql/auth/login.sql",
    name = "auth_login",
    requires = [login]
);

/// A fingerprint of a device has a few fields.
const MOST_DEVICE_INFO_BYTES: usize = 16 * 1024;

#[pg_extern(schema = "auth", volatile, parallel_unsafe)]
fn login(
    email: Option<&str>,
    password: Option<&str>,
    totp_code: default!(Option<&str>, "NULL"),
    org_id: default!(Option<pgrx::Uuid>, "NULL"),
    device_info: default!(Option<JsonbArgument>, "'{}'"),
    ip_address: default!(Option<&str>, "NULL"),
) -> JsonB {
    let _unlogged = UnloggedStatement::begin();
    let org_id = org_id.map(from_datum);
    let answer = or_raise(attempt(&Request {
        email: email.unwrap_or_default(),
        password: password.unwrap_or_default(),
        totp_code,
        org_id,
        device_info: device_info.as_ref().and_then(object_of).unwrap_or_default(),
        ip_address: caller::ip_address(ip_address),
    }));
    let mut result = match &answer {
        Answer::Ok { user_id, session } => {
            let mut result = session.answer();
            result["user_id"] = json!(user_id.to_string());
            result["org_id"] = json!(org_id.map(|id| id.to_string()));
            result
        }
        Answer::Locked { until } => json!({ "retry_at": retry_at(*until) }),
        _ => json!({}),
    };
    result["status"] = json!(answer.status());
    JsonB(result)
}

/// None for what is no object, too large, or nothing that this server's JSON can hold.
fn object_of(device_info: &JsonbArgument) -> Option<Map<String, Value>> {
    if device_info.size() > MOST_DEVICE_INFO_BYTES {
        return None;
    }
    match serde_json::from_str(device_info.text()) {
        Ok(Value::Object(object)) => Some(object),
        _ => None,
    }
}
