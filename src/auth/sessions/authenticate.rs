//! Opens a transaction with a session token.

use pgrx::JsonB;
use serde_json::{json, Value};
use uuid::Uuid;

use super::current::set_current;
use crate::auth::outcomes::{count_unknown, record_failure, Outcome, Unknown};
use crate::auth::settings;
use crate::auth::tokens::{Kind, Token};
use crate::codeverify::errors::Error;
use crate::codeverify::latest::select_latest;
use crate::codeverify::owner::as_owner;
use crate::codeverify::query::update;
use crate::codeverify::transaction::{can_write, reads_what_is_committed};
use crate::tenancy::context::{self, Identity};
use crate::tenancy::permission::MemberRole;
use crate::tenancy::sql::{from_datum, to_datum};

/// Most organizations that a user is asked to choose from.
const MOST_CHOICES: i64 = 1000;

/// The answer to whoever presents `text` as a session token, and the context if it is good.
pub fn authenticate(text: Option<&str>, org_id: Option<Uuid>) -> Result<Value, Error> {
    let Some(token) = text.and_then(|text| Token::parse(Kind::Session, text)) else {
        return Ok(refused("invalid"));
    };
    let Some(session) = as_owner(|| find(&token, org_id)) else {
        count_unknown(Unknown::Session);
        return Ok(refused("invalid"));
    };
    if session.is_revoked {
        return Ok(fail(&session, org_id, "revoked"));
    }
    // Not told: every client learns so that it is time for a refresh.
    if session.has_expired {
        return Ok(refused("expired"));
    }
    let membership = match session.membership {
        Some(membership) => membership,
        None if org_id.is_some() => return Ok(fail(&session, org_id, "no_membership")),
        None => {
            let choices = as_owner(|| find_memberships(session.user_id));
            match choices.as_slice() {
                [] => return Ok(fail(&session, None, "no_membership")),
                [only] => only.membership,
                several => return Ok(ask(several)),
            }
        }
    };
    context::set(Identity {
        org_id: membership.org_id,
        user_id: Some(session.user_id),
        role: membership.role,
        api_key_id: None,
    })?;
    set_current(session.id);
    if session.use_is_stale {
        stamp_use(session.id);
    }
    Ok(json!({
        "status": "ok",
        "org_id": membership.org_id.to_string(),
        "user_id": session.user_id.to_string(),
        "role": membership.role.name(),
        "session_id": session.id.to_string(),
        "expires_at": session.expires_at,
        "organizations": [],
    }))
}

fn refused(status: &str) -> Value {
    json!({
        "status": status,
        "org_id": null,
        "user_id": null,
        "role": null,
        "session_id": null,
        "expires_at": null,
        "organizations": [],
    })
}

fn ask(choices: &[Choice]) -> Value {
    let mut answer = refused("org_required");
    answer["organizations"] = choices
        .iter()
        .map(|choice| {
            json!({
                "org_id": choice.membership.org_id.to_string(),
                "name": choice.name,
                "role": choice.membership.role.name(),
            })
        })
        .collect();
    answer
}

fn fail(session: &Found, org_id: Option<Uuid>, reason: &'static str) -> Value {
    record_failure(&Outcome {
        action: "session.failed",
        // Not in the ledger of an organization that the user only names: it is not that user's.
        org_id: session.login_org_id,
        user_id: Some(session.user_id),
        resource_id: Some(session.id),
        details: json!({
            "reason": reason,
            "token": "session",
            "wanted": org_id.map(|id| id.to_string()),
        }),
        ip_address: None,
        user_agent: None,
    });
    refused(reason)
}

#[derive(Clone, Copy)]
struct Membership {
    org_id: Uuid,
    role: MemberRole,
}

struct Found {
    id: Uuid,
    user_id: Uuid,
    login_org_id: Option<Uuid>,
    is_revoked: bool,
    has_expired: bool,
    expires_at: Value,
    use_is_stale: bool,
    /// In the organization that was asked for, or else in that of the log-in.
    membership: Option<Membership>,
}

fn find(token: &Token, org_id: Option<Uuid>) -> Option<Found> {
    select_latest(
        "SELECT s.id, s.user_id, s.login_org_id, \
                EXISTS (SELECT FROM auth.session_revocations AS r WHERE r.session_id = s.id), \
                e.expires_at <= pg_catalog.clock_timestamp(), \
                pg_catalog.to_jsonb(e.expires_at), \
                coalesce(s.last_used < pg_catalog.clock_timestamp() - interval '1 minute', true), \
                m.org_id, m.role \
         FROM auth.sessions AS s \
         CROSS JOIN LATERAL ( \
             SELECT least(s.session_token_expires_at, s.expires_at, s.absolute_expires_at) AS expires_at \
         ) AS e \
         LEFT JOIN tenancy.org_memberships AS m \
             ON m.org_id = coalesce($2, s.login_org_id) AND m.user_id = s.user_id \
         WHERE s.session_token_hash = $1",
        &[token.hash().into(), org_id.map(to_datum).into()],
        |rows| {
            let row = rows.first()?;
            Some(Found {
                id: row.get(1).map(from_datum)?,
                user_id: row.get(2).map(from_datum)?,
                login_org_id: row.get(3).map(from_datum),
                is_revoked: row.get(4)?,
                has_expired: row.get(5)?,
                expires_at: row.get::<JsonB>(6)?.0,
                use_is_stale: row.get(7)?,
                membership: row
                    .get(8)
                    .map(from_datum)
                    .zip(row.get::<String>(9).and_then(|role| role.parse().ok()))
                    .map(|(org_id, role)| Membership { org_id, role }),
            })
        },
    )
}

struct Choice {
    membership: Membership,
    name: String,
}

fn find_memberships(user_id: Uuid) -> Vec<Choice> {
    select_latest(
        "SELECT m.org_id, m.role, o.name \
         FROM tenancy.org_memberships AS m \
         JOIN tenancy.organizations AS o ON o.id = m.org_id \
         WHERE m.user_id = $1 \
         ORDER BY o.name, o.id \
         LIMIT $2",
        &[to_datum(user_id).into(), MOST_CHOICES.into()],
        |rows| {
            rows.iter()
                .filter_map(|row| {
                    Some(Choice {
                        membership: Membership {
                            org_id: row.get(1).map(from_datum)?,
                            role: row.get::<String>(2)?.parse().ok()?,
                        },
                        name: row.get(3)?,
                    })
                })
                .collect()
        },
    )
}

/// Keeps last_used true to the minute, and with it the session alive, without ever waiting for another who uses it.
///
/// First come the rows that it refers to: whoever deletes its user locks that row and goes on to the session, and would
/// wait for this transaction while this one waits for the user, which it does when it makes something of the user's.
const STAMP: &str = "\
    WITH used AS MATERIALIZED ( \
        SELECT s.id, s.user_id, s.login_org_id FROM auth.sessions AS s WHERE s.id = $1), \
    organization AS MATERIALIZED ( \
        SELECT FROM used JOIN tenancy.organizations AS o ON o.id = used.login_org_id FOR KEY SHARE OF o SKIP LOCKED), \
    owner AS MATERIALIZED ( \
        SELECT FROM used JOIN auth.users AS u ON u.id = used.user_id FOR KEY SHARE OF u SKIP LOCKED) \
    UPDATE auth.sessions AS s \
    SET last_used = t.now, \
        expires_at = CASE \
            WHEN s.absolute_expires_at IS NULL THEN s.expires_at \
            ELSE least(t.now + pg_catalog.make_interval(mins => $2), s.absolute_expires_at) \
        END \
    FROM (SELECT pg_catalog.clock_timestamp() AS now) AS t \
    WHERE s.id = ( \
        SELECT u.id FROM auth.sessions AS u JOIN used ON used.id = u.id \
        WHERE (used.login_org_id IS NULL OR EXISTS (SELECT FROM organization)) \
          AND EXISTS (SELECT FROM owner) \
        FOR NO KEY UPDATE OF u SKIP LOCKED)";

fn stamp_use(session_id: Uuid) {
    // Above READ COMMITTED a stamp that another transaction has renewed since our snapshot would end this one with a
    // serialization failure.
    if !can_write() || !reads_what_is_committed() {
        return;
    }
    as_owner(|| {
        update(
            STAMP,
            &[
                to_datum(session_id).into(),
                settings::session_idle_timeout().into(),
            ],
            |_| Ok(()),
        );
    });
}
