//! Gives out tokens, and to addresses that nobody has decoys after the same work.

use pgrx::JsonB;
use serde_json::{json, Value};
use uuid::Uuid;

use super::settings;
use crate::auth::outcomes::{record_success, Outcome};
use crate::auth::tokens::Token;
use crate::codeverify::owner::as_owner;
use crate::codeverify::query::{select_one, update, update_one};
use crate::codeverify::subtransaction;
use crate::tenancy::sql::{from_datum, to_datum};

/// Tokens that a user can have who has used none of them for an hour.
const MOST_AN_HOUR: i64 = 3;

/// Stores a token for the user of an address, and returns when it expires. Where there is none, or it has enough
/// tokens already, all is done for somebody else and undone, so that neither the answer nor the time tells.
pub fn issue(address: &str, token: &Token) -> Value {
    as_owner(|| {
        let user = find(address);
        let somebody = find_somebody();
        let Some(beneficiary) = user.or(somebody) else {
            return expires_at();
        };
        let has_room = count_recent(beneficiary) < MOST_AN_HOUR;
        subtransaction::keep_if(user.is_some() && has_room, || {
            store(beneficiary, address, token)
        })
    })
}

fn find(address: &str) -> Option<Uuid> {
    select_one::<pgrx::Uuid>(
        "SELECT u.id FROM auth.users AS u WHERE lower(u.email) = $1",
        &[address.into()],
    )
    .map(from_datum)
}

/// Any user, and not always the same: what is undone locks it for a moment.
fn find_somebody() -> Option<Uuid> {
    let mut start = [0; 16];
    // Where there are no random bytes there is no token either.
    let _ = getrandom::fill(&mut start);
    select_one::<pgrx::Uuid>(
        "SELECT coalesce( \
             (SELECT u.id FROM auth.users AS u WHERE u.id >= $1 ORDER BY u.id LIMIT 1), \
             (SELECT u.id FROM auth.users AS u ORDER BY u.id LIMIT 1))",
        &[pgrx::Uuid::from_bytes(start).into()],
    )
    .map(from_datum)
}

fn count_recent(user_id: Uuid) -> i64 {
    select_one::<i64>(
        "SELECT count(*) FROM auth.password_resets AS r \
         WHERE r.user_id = $1 AND NOT r.used AND r.created_at > pg_catalog.clock_timestamp() - interval '1 hour'",
        &[to_datum(user_id).into()],
    )
    .unwrap_or(0)
}

fn store(user_id: Uuid, address: &str, token: &Token) -> Value {
    // For a day an old token is told to have expired; then it is unknown.
    update(
        "DELETE FROM auth.password_resets \
         WHERE user_id = $1 AND expires_at < pg_catalog.clock_timestamp() - interval '1 day'",
        &[to_datum(user_id).into()],
        |_| Ok(()),
    );
    let stored = update(
        "INSERT INTO auth.password_resets (user_id, email, token_hash, created_at, expires_at) \
         SELECT $1, $2, $3, t.now, t.now + make_interval(mins => $4) \
         FROM (SELECT pg_catalog.clock_timestamp() AS now) AS t \
         RETURNING id, to_jsonb(expires_at)",
        &[
            to_datum(user_id).into(),
            address.into(),
            token.hash().into(),
            settings::lifetime().into(),
        ],
        |rows| {
            let row = rows.first();
            Ok((row.get::<pgrx::Uuid>(1)?, row.get::<JsonB>(2)?))
        },
    );
    record_success(&Outcome {
        action: "password.reset_requested",
        org_id: None,
        user_id: Some(user_id),
        resource_id: stored.0.map(from_datum),
        details: json!({}),
        ip_address: None,
        user_agent: None,
    });
    stored.1.map_or(Value::Null, |expires_at| expires_at.0)
}

/// What a token would have that nobody can get, since there are no users.
fn expires_at() -> Value {
    update_one::<JsonB>(
        "SELECT to_jsonb(pg_catalog.clock_timestamp() + make_interval(mins => $1))",
        &[settings::lifetime().into()],
    )
    .map_or(Value::Null, |expires_at| expires_at.0)
}
