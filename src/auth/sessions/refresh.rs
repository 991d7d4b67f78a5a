//! Exchanges a refresh token for the next pair.

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::{JsonB, PgLogLevel, PgSqlErrorCode};
use serde_json::{json, Value};
use uuid::Uuid;

use super::create::{Ends, NewSession};
use super::derivation::{Pair, SALT_LENGTH};
use super::find::{find_session, Session};
use super::revoke::{insert_revocations, Reason};
use super::rotation::{decide, Decision};
use crate::auth::outcomes::{count_unknown, record_failure, record_success, Outcome, Unknown};
use crate::auth::settings;
use crate::auth::tokens::{Kind, Token};
use crate::codeverify::errors::Error;
use crate::codeverify::own_transaction;
use crate::codeverify::own_transaction::job::{Job, Reply};
use crate::codeverify::owner::as_owner;
use crate::codeverify::query::{update, update_one};
use crate::codeverify::time::now;
use crate::codeverify::transaction::can_write;
use crate::tenancy::sql::to_datum;

/// The answer to whoever presents `text` as a refresh token.
pub fn refresh(text: Option<&str>) -> Result<Value, Error> {
    let presented_at = now();
    let Some(token) = text.and_then(|text| Token::parse(Kind::Refresh, text)) else {
        return Ok(refused("invalid"));
    };
    let judge = || {
        as_owner(|| find_session(&token)).map(|session| {
            let decision = decide(&session.family(), &token.hash(), presented_at);
            (session, decision)
        })
    };
    // Without a lock first: whoever presents a stolen token changes nothing in this transaction, so there is nothing that
    // its rollback could undo, and nothing that the transaction which ends the session would have to wait for.
    let found = match judge() {
        Some((session, Decision::Exchange)) => {
            let is_locked = lock(session.id);
            // Another may have exchanged it meanwhile.
            match judge() {
                Some((_, Decision::Exchange)) if !is_locked => fail_serialization(),
                found => found,
            }
        }
        found => found,
    };
    let Some((session, decision)) = found else {
        count_unknown(Unknown::RefreshToken);
        return Ok(refused("invalid"));
    };
    Ok(match decision {
        Decision::Exchange => exchange(&session, &token)?.answer(),
        Decision::Repeat => repeat(session, &token),
        Decision::Theft => {
            stop_theft(&session);
            refused("reused")
        }
        Decision::Revoked => fail(&session, "revoked"),
        Decision::Expired => fail(&session, "expired"),
    })
}

fn refused(status: &str) -> Value {
    json!({
        "status": status,
        "session_id": null,
        "session_token": null,
        "session_token_expires_at": null,
        "refresh_token": null,
        "expires_at": null,
    })
}

/// Lets one exchange at a time go on, until the transaction ends. Above READ COMMITTED it is a serialization failure if the
/// session has changed since the transaction's snapshot, and false if it was begun since then.
fn lock(session_id: Uuid) -> bool {
    as_owner(|| {
        update_one::<bool>(
            "SELECT true FROM auth.sessions WHERE id = $1 FOR UPDATE",
            &[to_datum(session_id).into()],
        )
    })
    .unwrap_or(false)
}

/// Ends the transaction as the server does for a row that it sees and may not change.
fn fail_serialization() -> ! {
    ErrorReport::new(
        PgSqlErrorCode::ERRCODE_T_R_SERIALIZATION_FAILURE,
        "could not serialize access: the session was begun after the transaction",
        "refresh_session",
    )
    .set_hint("The transaction might succeed if retried.")
    .report(PgLogLevel::ERROR);
    unreachable!("an ERROR report does not return")
}

fn exchange(session: &Session, token: &Token) -> Result<NewSession, Error> {
    let mut salt = [0; SALT_LENGTH];
    getrandom::fill(&mut salt).map_err(|_| Error::NoRandomness)?;
    let pair = Pair::child_of(token, &salt);
    let ends = as_owner(|| {
        update(
            "INSERT INTO auth.refresh_tokens (token_hash, session_id, superseded_at) \
             VALUES ($1, $2, pg_catalog.clock_timestamp())",
            &[token.hash().into(), to_datum(session.id).into()],
            |_| Ok(()),
        );
        replace_tokens(session.id, token, &salt, &pair)
    });
    record_success(&outcome(session, "session.refreshed", json!({})));
    Ok(NewSession {
        session_id: session.id,
        pair,
        ends,
    })
}

fn replace_tokens(session_id: Uuid, parent: &Token, salt: &[u8; SALT_LENGTH], pair: &Pair) -> Ends {
    update(
        "UPDATE auth.sessions AS s \
         SET session_token_hash = $2, refresh_token_hash = $3, parent_token_hash = $4, child_salt = $5, \
             refreshed_at = t.now, last_used = t.now, \
             session_token_expires_at = \
                 least(t.now + pg_catalog.make_interval(mins => $6), coalesce(s.absolute_expires_at, s.expires_at)), \
             expires_at = CASE \
                 WHEN s.absolute_expires_at IS NULL THEN s.expires_at \
                 ELSE least(t.now + pg_catalog.make_interval(mins => $7), s.absolute_expires_at) \
             END \
         FROM (SELECT pg_catalog.clock_timestamp() AS now) AS t \
         WHERE s.id = $1 \
         RETURNING pg_catalog.to_jsonb(s.expires_at), pg_catalog.to_jsonb(s.session_token_expires_at)",
        &[
            to_datum(session_id).into(),
            pair.session.hash().into(),
            pair.refresh.hash().into(),
            parent.hash().into(),
            salt.as_slice().into(),
            settings::session_token_lifetime().into(),
            settings::session_idle_timeout().into(),
        ],
        |rows| {
            let row = rows.first();
            Ok(Ends {
                expires_at: row.get::<JsonB>(1)?.map_or(Value::Null, |end| end.0),
                session_token_expires_at: row.get::<JsonB>(2)?.map_or(Value::Null, |end| end.0),
            })
        },
    )
}

/// The pair that the token was exchanged for a moment ago, in answer to a retry.
fn repeat(session: Session, token: &Token) -> Value {
    let pair = session
        .child_salt
        .map(|salt| Pair::child_of(token, &salt))
        .filter(|pair| session.family().current == Some(&pair.refresh.hash()));
    match pair {
        Some(pair) => NewSession {
            session_id: session.id,
            pair,
            ends: session.ends,
        }
        .answer(),
        None => refused("invalid"),
    }
}

/// Tells of a token that belongs to a session which has ended.
fn fail(session: &Session, reason: &'static str) -> Value {
    record_failure(&outcome(
        session,
        "session.failed",
        json!({ "reason": reason, "token": "refresh" }),
    ));
    refused(reason)
}

fn outcome(session: &Session, action: &'static str, details: Value) -> Outcome<'static> {
    Outcome {
        action,
        org_id: session.login_org_id,
        user_id: Some(session.user_id),
        resource_id: Some(session.id),
        details,
        ip_address: None,
        user_agent: None,
    }
}

/// Ends a session of which an old token was presented, in a transaction of its own: a thief would roll this one back.
fn stop_theft(session: &Session) {
    let job = Job::RevokeSession {
        session_id: session.id,
        reason: Reason::Reuse.name().to_owned(),
    };
    let ended = own_transaction::run(&job);
    // Where that could not be done, and for a session that this transaction has begun itself.
    if !matches!(ended, Ok(Reply::Revoked(true))) && can_write() {
        as_owner(|| insert_revocations(&[session.id], Reason::Reuse));
    }
    record_failure(&outcome(session, "session.reuse_detected", json!({})));
}
