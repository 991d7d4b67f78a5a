//! Ends sessions before their time.

use serde_json::json;
use uuid::Uuid;

use crate::auth::outcomes::{record_success, Outcome};
use crate::codeverify::owner::as_owner;
use crate::codeverify::query::update_one;
use crate::tenancy::sql::to_datum;

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
    /// The word in `auth.sessions.revoked_reason`.
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
pub fn revoke_all(user_id: Uuid, except: Option<Uuid>, reason: Reason) -> i64 {
    let count = as_owner(|| {
        // Locked in one order, so that two who do this at once do not wait for each other.
        update_one::<i64>(
            "WITH live AS MATERIALIZED ( \
                 SELECT id FROM auth.sessions \
                 WHERE user_id = $1 AND id IS DISTINCT FROM $2 AND revoked_at IS NULL \
                   AND expires_at > pg_catalog.clock_timestamp() \
                 ORDER BY id \
                 FOR NO KEY UPDATE \
             ), \
             ended AS ( \
                 UPDATE auth.sessions AS s \
                 SET revoked_at = pg_catalog.clock_timestamp(), revoked_reason = $3 \
                 FROM live \
                 WHERE s.id = live.id \
                 RETURNING s.id \
             ) \
             SELECT pg_catalog.count(*) FROM ended",
            &[
                to_datum(user_id).into(),
                except.map(to_datum).into(),
                reason.name().into(),
            ],
        )
    })
    .unwrap_or_default();
    if count > 0 {
        record_success(&Outcome {
            action: "session.revoked",
            org_id: None,
            user_id: Some(user_id),
            resource_id: None,
            details: json!({ "reason": reason.name(), "sessions": count }),
            ip_address: None,
            user_agent: None,
        });
    }
    count
}
