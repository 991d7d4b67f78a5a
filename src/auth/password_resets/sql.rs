//! Functions of password resets; their comments and grants are in sql/auth/password_resets.sql.

use pgrx::prelude::*;
use pgrx::JsonB;
use serde_json::json;

use super::issuing::issue;
use super::redemption::{redeem, Redemption};
use crate::auth::caller::require_service;
use crate::auth::outcomes::{count_unknown, Unknown};
use crate::auth::passwords::text::Prepared;
use crate::auth::tokens::{Kind, Token};
use crate::auth::users::email;
use crate::codeverify::errors::Error;
use crate::codeverify::raise::or_raise;
use crate::codeverify::unlogged_statement::UnloggedStatement;

extension_sql_file!(
    "../../../sql/auth/password_resets.sql",
    name = "auth_password_resets",
    requires = [request_password_reset, reset_password]
);

#[pg_extern(schema = "auth", volatile, parallel_unsafe)]
fn request_password_reset(email: Option<&str>) -> JsonB {
    or_raise(require_service());
    let Some(address) = email::normalise(email.unwrap_or_default()) else {
        return status("invalid_email");
    };
    let token = Token::generate(Kind::PasswordReset, getrandom::fill);
    let token = or_raise(token.map_err(|_| Error::NoRandomness));
    let expires_at = issue(&address, &token);
    JsonB(json!({
        "status": "ok",
        "token": token.text(),
        "expires_at": expires_at,
    }))
}

#[pg_extern(schema = "auth", volatile, parallel_unsafe)]
fn reset_password(token: Option<&str>, new_password: Option<&str>) -> JsonB {
    let _unlogged = UnloggedStatement::begin();
    let Some(token) = token.and_then(|text| Token::parse(Kind::PasswordReset, text)) else {
        count_unknown(Unknown::PasswordReset);
        return status("invalid");
    };
    // Before the token is looked at, which it must not use up.
    let prepared = match Prepared::to_set(new_password.unwrap_or_default()) {
        Ok(prepared) => prepared,
        Err(unfit) => {
            return JsonB(json!({ "status": "invalid_password", "reason": unfit.name() }));
        }
    };
    match redeem(&token, &prepared) {
        Redemption::Done { user_id, sessions } => JsonB(json!({
            "status": "ok",
            "user_id": user_id.to_string(),
            "sessions_revoked": sessions,
        })),
        Redemption::Invalid => status("invalid"),
        Redemption::Expired => status("expired"),
        Redemption::Used => status("used"),
    }
}

fn status(status: &str) -> JsonB {
    JsonB(json!({ "status": status }))
}
