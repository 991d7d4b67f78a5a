//! Functions of users that need Rust; their comments and grants are in sql/auth/users.sql.

use pgrx::prelude::*;
use pgrx::JsonB;
use serde_json::{json, Value};
use uuid::Uuid;

use super::{email, require_user_id, verification, User};
use crate::auth::caller::require_service;
use crate::auth::outcomes::{count_unknown, record_failure, record_success, Outcome, Unknown};
use crate::auth::passwords;
use crate::auth::passwords::text::Prepared;
use crate::auth::tokens::{Kind, Token};
use crate::codeverify::errors::Error;
use crate::codeverify::jsonb::JsonbArgument;
use crate::codeverify::owner::as_owner;
use crate::codeverify::query::update_one;
use crate::codeverify::raise::{or_raise, raise};
use crate::codeverify::unlogged_statement::UnloggedStatement;
use crate::tenancy::sql::{from_datum, to_datum};

extension_sql_file!(
    "../../../sql/auth/users.sql",
    name = "auth_users",
    requires = [
        register_user,
        verify_email,
        request_email_verification,
        link_identity
    ]
);

/// Settings are a form's choices, not a place to store things.
const MOST_SETTINGS_BYTES: usize = 64 * 1024;

#[pg_extern(schema = "auth", volatile, parallel_unsafe)]
fn register_user(
    email: Option<&str>,
    password: Option<&str>,
    username: default!(Option<&str>, "NULL"),
    settings: default!(Option<JsonbArgument>, "'{}'"),
) -> JsonB {
    let _unlogged = UnloggedStatement::begin();
    or_raise(require_service());
    let Some(address) = email::normalise(email.unwrap_or_default()) else {
        return status("invalid_email");
    };
    let prepared = match Prepared::to_set(password.unwrap_or_default()) {
        Ok(prepared) => prepared,
        Err(unfit) => {
            return JsonB(json!({ "status": "invalid_password", "reason": unfit.name() }));
        }
    };
    if username.is_some_and(|name| !is_username(name)) {
        return status("invalid_username");
    }
    if !settings.as_ref().is_none_or(is_settings) {
        return status("invalid_settings");
    }

    // All of this before the address is looked at, so that the time does not tell whether it is taken.
    let password_hash = passwords::hash(&prepared);
    let token = verification::draw();
    let user_id = as_owner(|| {
        // A registration of the same address that is under way is waited for, and then wins.
        update_one::<pgrx::Uuid>(
            "INSERT INTO auth.users (email, username, settings, password_hash, password_changed_at) \
             VALUES ($1, $2, coalesce($3, '{}'), $4, pg_catalog.clock_timestamp()) \
             ON CONFLICT DO NOTHING \
             RETURNING id",
            &[
                address.as_str().into(),
                username.into(),
                JsonbArgument::parameter(settings.as_ref()),
                password_hash.into(),
            ],
        )
    })
    .map(from_datum);

    let Some(user_id) = user_id else {
        record_failure(&about(
            "user.registration_failed",
            None,
            json!({ "reason": "email_taken", "email_sha256": email::digest(&address) }),
        ));
        return status("email_taken");
    };
    let expires_at = verification::issue(user_id, &address, &token);
    record_success(&about("user.registered", Some(user_id), json!({})));
    JsonB(json!({
        "status": "ok",
        "user_id": user_id.to_string(),
        "verification_token": token.text(),
        "expires_at": expires_at,
    }))
}

fn is_username(name: &str) -> bool {
    (1..=255).contains(&name.chars().count())
        && !name.chars().any(char::is_control)
        && !name.trim().is_empty()
}

fn is_settings(settings: &JsonbArgument) -> bool {
    settings.size() <= MOST_SETTINGS_BYTES && settings.text().starts_with('{')
}

#[pg_extern(schema = "auth", volatile, parallel_unsafe)]
fn verify_email(token: Option<&str>) -> JsonB {
    let _unlogged = UnloggedStatement::begin();
    let Some(token) = token.and_then(|text| Token::parse(Kind::EmailVerification, text)) else {
        count_unknown(Unknown::EmailVerification);
        return status("invalid");
    };
    match verification::accept(&token) {
        (word, Some(user_id)) => JsonB(json!({ "status": word, "user_id": user_id.to_string() })),
        (word, None) => status(word),
    }
}

#[pg_extern(schema = "auth", volatile, parallel_unsafe)]
fn request_email_verification(user_id: Option<pgrx::Uuid>) -> JsonB {
    // Whoever gets the token can say that they read the user's mail, so it is not even the user's own to ask for.
    or_raise(require_service());
    let user_id = or_raise(require_user_id(user_id));
    let user = or_raise(User::find(user_id));
    if user.verified {
        return status("already_verified");
    }
    let Some(address) = user.email else {
        return status("no_email");
    };
    let token = verification::draw();
    let expires_at = verification::issue(user_id, &address, &token);
    record_success(&about(
        "user.email_verification_requested",
        Some(user_id),
        json!({}),
    ));
    JsonB(json!({
        "status": "ok",
        "email": address,
        "verification_token": token.text(),
        "expires_at": expires_at,
    }))
}

#[pg_extern(schema = "auth", volatile, parallel_unsafe)]
fn link_identity(
    user_id: Option<pgrx::Uuid>,
    github_id: default!(Option<i64>, "NULL"),
    auth0_sub: default!(Option<&str>, "NULL"),
) -> JsonB {
    or_raise(require_service());
    let user_id = or_raise(require_user_id(user_id));
    or_raise(check_identity(github_id, auth0_sub));
    let word = as_owner(|| {
        update_one::<String>(
            "SELECT auth.set_identity($1, $2, $3)",
            &[to_datum(user_id).into(), github_id.into(), auth0_sub.into()],
        )
    });
    let Some(word) = word else {
        raise(Error::NoSuchUser {
            user_id: user_id.to_string(),
        });
    };
    let mut details = json!({ "github": github_id.is_some(), "auth0": auth0_sub.is_some() });
    if word == "ok" {
        record_success(&about("user.identity_linked", Some(user_id), details));
    } else {
        details["reason"] = json!(word);
        record_failure(&about("user.identity_link_failed", Some(user_id), details));
    }
    status(&word)
}

fn check_identity(github_id: Option<i64>, auth0_sub: Option<&str>) -> Result<(), Error> {
    let problem = if github_id.is_none() && auth0_sub.is_none() {
        "it names neither a GitHub id nor an Auth0 subject"
    } else if github_id.is_some_and(|id| id <= 0) {
        "a GitHub id is positive"
    } else if auth0_sub.is_some_and(|sub| !(1..=255).contains(&sub.chars().count())) {
        "an Auth0 subject has 1 to 255 characters"
    } else {
        return Ok(());
    };
    Err(Error::InvalidUserRequest { problem })
}

fn about(action: &'static str, user_id: Option<Uuid>, details: Value) -> Outcome<'static> {
    Outcome {
        user_id,
        resource_id: user_id,
        ..Outcome::of(action, details)
    }
}

fn status(word: &str) -> JsonB {
    JsonB(json!({ "status": word }))
}
