//! Ends sessions before their time.
//!
//! It takes no lock on a session, so nobody who uses one can keep it from ending. A session is ended by its id: the tokens
//! that another transaction is just giving out for it are worth nothing.

use serde_json::json;
use uuid::Uuid;

use crate::auth::outcomes::{record_success, Outcome};
use crate::codeverify::latest::select_latest;
use crate::codeverify::owner::as_owner;
use crate::codeverify::query::update;
use crate::tenancy::sql::{from_datum, to_datum};

/// Why a session is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// By its own user, on its device.
    Logout,
    /// By its user from elsewhere, or by the trusted back end.
    Revoked,
    /// A refresh token was shown that had been exchanged before.
    Reuse,
    PasswordChanged,
    PasswordReset,
}

impl Reason {
    /// The word in `auth.session_revocations.reason`.
    pub fn name(self) -> &'static str {
        match self {
            Reason::Logout => "logout",
            Reason::Revoked => "revoked",
            Reason::Reuse => "reuse",
            Reason::PasswordChanged => "password_changed",
            Reason::PasswordReset => "password_reset",
        }
    }
}

/// Ends all sessions of a user but one, and returns how many that were.
pub fn revoke_all(user_id: Uuid, except: Option<Uuid>, reason: Reason) -> usize {
    let ended = as_owner(|| {
        let live: Vec<Uuid> = live_sessions(user_id)
            .into_iter()
            .filter(|id| Some(*id) != except)
            .collect();
        insert_revocations(&live, reason);
        live
    });
    if !ended.is_empty() {
        tell(
            user_id,
            None,
            json!({ "reason": reason.name(), "sessions": ended.len() }),
        );
    }
    ended.len()
}

/// Ends a session of a user; false when the user has no such session, or it has ended.
pub fn revoke_one(user_id: Uuid, session_id: Uuid, reason: Reason) -> bool {
    let is_live = as_owner(|| {
        let is_live = live_sessions(user_id).contains(&session_id);
        if is_live {
            insert_revocations(&[session_id], reason);
        }
        is_live
    });
    if is_live {
        tell(
            user_id,
            Some(session_id),
            json!({ "reason": reason.name() }),
        );
    }
    is_live
}

fn tell(user_id: Uuid, session_id: Option<Uuid>, details: serde_json::Value) {
    record_success(&Outcome {
        action: "session.revoked",
        org_id: None,
        user_id: Some(user_id),
        resource_id: session_id,
        details,
        ip_address: None,
        user_agent: None,
    });
}

/// Those that are committed now: one that was begun after the transaction's snapshot must not escape.
fn live_sessions(user_id: Uuid) -> Vec<Uuid> {
    select_latest(
        "SELECT s.id FROM auth.sessions AS s \
         WHERE s.user_id = $1 \
           AND s.expires_at > pg_catalog.clock_timestamp() \
           AND NOT EXISTS (SELECT FROM auth.session_revocations AS r WHERE r.session_id = s.id)",
        &[to_datum(user_id).into()],
        |rows| {
            rows.iter()
                .filter_map(|row| row.get(1).map(from_datum))
                .collect()
        },
    )
}

/// To be called as the owner.
pub fn insert_revocations(session_ids: &[Uuid], reason: Reason) {
    let session_ids: Vec<pgrx::Uuid> = session_ids.iter().copied().map(to_datum).collect();
    update(
        "INSERT INTO auth.session_revocations (session_id, reason) \
         SELECT pg_catalog.unnest($1), $2",
        &[session_ids.into(), reason.name().into()],
        |_| Ok(()),
    );
}
