//! Tokens that are mailed to an address, and returned by who reads the mail there.

use pgrx::JsonB;
use serde_json::{json, Value};
use uuid::Uuid;

use crate::auth::outcomes::{count_unknown, record_failure, record_success, Outcome, Unknown};
use crate::auth::settings;
use crate::auth::tokens::{Kind, Token};
use crate::codeverify::errors::Error;
use crate::codeverify::owner::as_owner;
use crate::codeverify::query::{update, update_one};
use crate::codeverify::raise::or_raise;
use crate::tenancy::sql::{from_datum, to_datum};

/// A token that is not stored yet.
pub fn draw() -> Token {
    or_raise(
        Token::generate(Kind::EmailVerification, getrandom::fill).map_err(|_| Error::NoRandomness),
    )
}

/// Stores a token for a user's address; those that were given out before stop working. Returns when it
/// expires, as a JSON string.
pub fn issue(user_id: Uuid, email: &str, token: &Token) -> Value {
    as_owner(|| {
        update(
            "DELETE FROM auth.email_verifications WHERE user_id = $1 AND used_at IS NULL",
            &[to_datum(user_id).into()],
            |_| Ok(()),
        );
        update_one::<JsonB>(
            "INSERT INTO auth.email_verifications (user_id, email, token_hash, created_at, expires_at) \
             SELECT $1, $2, $3, t.now, t.now + make_interval(mins => $4) \
             FROM (SELECT pg_catalog.clock_timestamp() AS now) AS t \
             RETURNING to_jsonb(expires_at)",
            &[
                to_datum(user_id).into(),
                email.into(),
                token.hash().into(),
                settings::email_verification_lifetime().into(),
            ],
        )
    })
    .map_or(Value::Null, |expires_at| expires_at.0)
}

struct Issued {
    id: pgrx::Uuid,
    user_id: Uuid,
    email: String,
    used: bool,
    expired: bool,
}

/// Takes a token back. Returns the status, and the user whose address it was sent to.
pub fn accept(token: &Token) -> (&'static str, Option<Uuid>) {
    let Some(issued) = as_owner(|| find(token)) else {
        count_unknown(Unknown::EmailVerification);
        return ("invalid", None);
    };
    let status = if issued.used {
        "used"
    } else if issued.expired {
        "expired"
    } else if as_owner(|| redeem(&issued)) {
        "ok"
    } else {
        // The address was changed since.
        "invalid"
    };
    let about = |action, details| Outcome {
        user_id: Some(issued.user_id),
        resource_id: Some(from_datum(issued.id)),
        ..Outcome::of(action, details)
    };
    if status == "ok" {
        record_success(&about("user.email_verified", json!({})));
        (status, Some(issued.user_id))
    } else {
        record_failure(&about(
            "user.email_verification_failed",
            json!({ "reason": status }),
        ));
        (status, None)
    }
}

/// Locks the token, so that of two who return it at once one finds it used.
fn find(token: &Token) -> Option<Issued> {
    update(
        "SELECT id, user_id, email, used_at IS NOT NULL, expires_at <= pg_catalog.clock_timestamp() \
         FROM auth.email_verifications WHERE token_hash = $1 FOR UPDATE",
        &[token.hash().into()],
        |rows| {
            if rows.is_empty() {
                return Ok(None);
            }
            let row = rows.first();
            let (Some(id), Some(user_id), Some(email)) = (row.get(1)?, row.get(2)?, row.get(3)?)
            else {
                return Ok(None);
            };
            Ok(Some(Issued {
                id,
                user_id: from_datum(user_id),
                email,
                used: row.get(4)?.unwrap_or(true),
                expired: row.get(5)?.unwrap_or(true),
            }))
        },
    )
}

fn redeem(issued: &Issued) -> bool {
    let verified = update_one::<bool>(
        "UPDATE auth.users SET verified = true WHERE id = $1 AND lower(email) = $2 RETURNING true",
        &[
            to_datum(issued.user_id).into(),
            issued.email.as_str().into(),
        ],
    )
    .unwrap_or(false);
    if verified {
        update(
            "UPDATE auth.email_verifications SET used_at = pg_catalog.clock_timestamp() WHERE id = $1",
            &[issued.id.into()],
            |_| Ok(()),
        );
    }
    verified
}
