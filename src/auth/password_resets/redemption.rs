//! Takes tokens back.

use serde_json::{json, Value};
use uuid::Uuid;

use crate::auth::lockout;
use crate::auth::outcomes::{count_unknown, record_failure, record_success, Outcome, Unknown};
use crate::auth::passwords::{self, text::Prepared};
use crate::auth::sessions::{revoke_all, Reason};
use crate::auth::tokens::Token;
use crate::codeverify::owner::as_owner;
use crate::codeverify::query::{select, update, update_one};
use crate::tenancy::sql::{from_datum, to_datum};

/// What became of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Redemption {
    Done { user_id: Uuid, sessions: usize },
    Invalid,
    Expired,
    Used,
}

/// A token that was given out.
struct Reset {
    id: Uuid,
    user_id: Uuid,
    /// Where it was sent.
    email: String,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Live,
    Expired,
    Used,
    /// The user has another address by now; who reads the mail at the old one may be anybody.
    Moved,
}

/// Sets the password of the user whom a token was made for. Of any number who return it at once one succeeds.
pub fn redeem(token: &Token, password: &Prepared) -> Redemption {
    let Some(reset) = as_owner(|| find(token)) else {
        count_unknown(Unknown::PasswordReset);
        return Redemption::Invalid;
    };
    if reset.state != State::Live {
        return fail(&reset);
    }
    // Both before anything is locked: the one takes long, and whoever does the other waits for no lock of ours.
    let hash = passwords::hash(password);
    lockout::unlock(&reset.email);
    if !as_owner(|| claim(&reset) && set_password(&reset, &hash)) {
        let reset = as_owner(|| find(token)).unwrap_or(reset);
        return fail(&reset);
    }
    let sessions = revoke_all(reset.user_id, None, Reason::PasswordReset);
    let details = json!({ "sessions_revoked": sessions });
    record_success(&outcome("password.reset", &reset, details));
    Redemption::Done {
        user_id: reset.user_id,
        sessions,
    }
}

fn find(token: &Token) -> Option<Reset> {
    select(
        "SELECT r.id, r.user_id, r.email, r.used, r.expires_at <= pg_catalog.clock_timestamp(), \
                lower(u.email) IS DISTINCT FROM r.email \
         FROM auth.password_resets AS r \
         JOIN auth.users AS u ON u.id = r.user_id \
         WHERE r.token_hash = $1",
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
            let is = |column: usize| Ok::<_, pgrx::spi::Error>(row.get(column)?.unwrap_or(true));
            let state = if is(4)? {
                State::Used
            } else if is(5)? {
                State::Expired
            } else if is(6)? {
                State::Moved
            } else {
                State::Live
            };
            Ok(Some(Reset {
                id: from_datum(id),
                user_id: from_datum(user_id),
                email,
                state,
            }))
        },
    )
}

/// Uses the token up, and with it all others of the user. The user is locked first, so that two tokens of one user
/// do not wait for each other.
fn claim(reset: &Reset) -> bool {
    update(
        "SELECT FROM auth.users WHERE id = $1 FOR NO KEY UPDATE",
        &[to_datum(reset.user_id).into()],
        |_| Ok(()),
    );
    let is_ours = update_one::<bool>(
        "UPDATE auth.password_resets SET used = true \
         WHERE id = $1 AND NOT used AND expires_at > pg_catalog.clock_timestamp() \
         RETURNING true",
        &[to_datum(reset.id).into()],
    )
    .unwrap_or(false);
    if is_ours {
        update(
            "UPDATE auth.password_resets SET used = true WHERE user_id = $1 AND NOT used",
            &[to_datum(reset.user_id).into()],
            |_| Ok(()),
        );
    }
    is_ours
}

/// Whoever returns the token reads the mail at the address that it was sent to, which is the user's.
fn set_password(reset: &Reset, hash: &str) -> bool {
    update_one::<bool>(
        "UPDATE auth.users \
         SET password_hash = $3, password_changed_at = pg_catalog.clock_timestamp(), verified = true \
         WHERE id = $1 AND lower(email) = $2 \
         RETURNING true",
        &[
            to_datum(reset.user_id).into(),
            reset.email.as_str().into(),
            hash.into(),
        ],
    )
    .unwrap_or(false)
}

fn fail(reset: &Reset) -> Redemption {
    let (status, redemption) = match reset.state {
        State::Used => ("used", Redemption::Used),
        State::Expired => ("expired", Redemption::Expired),
        State::Moved | State::Live => ("invalid", Redemption::Invalid),
    };
    let details = json!({ "reason": status });
    record_failure(&outcome("password.reset_failed", reset, details));
    redemption
}

fn outcome(action: &'static str, reset: &Reset, details: Value) -> Outcome<'static> {
    Outcome {
        action,
        org_id: None,
        user_id: Some(reset.user_id),
        resource_id: Some(reset.id),
        details,
        ip_address: None,
        user_agent: None,
    }
}
