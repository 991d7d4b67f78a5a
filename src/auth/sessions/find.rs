//! Finds the session of a token, as it is committed now.

use pgrx::JsonB;
use serde_json::Value;
use uuid::Uuid;

use super::create::Ends;
use super::derivation::SALT_LENGTH;
use super::rotation::Family;
use crate::auth::tokens::Token;
use crate::codeverify::latest::select_latest;
use crate::codeverify::time;
use crate::tenancy::sql::from_datum;

/// A session, to which a token belongs or has belonged.
pub struct Session {
    pub id: Uuid,
    pub user_id: Uuid,
    pub login_org_id: Option<Uuid>,
    refresh_token_hash: Option<String>,
    parent_token_hash: Option<String>,
    refreshed_at: Option<i64>,
    pub child_salt: Option<[u8; SALT_LENGTH]>,
    ends_at: i64,
    is_revoked: bool,
    pub ends: Ends,
}

impl Session {
    /// What decides about a refresh token. Times are microseconds since 1970.
    pub fn family(&self) -> Family<'_> {
        Family {
            current: self.refresh_token_hash.as_deref(),
            parent: self.parent_token_hash.as_deref().zip(self.refreshed_at),
            ends_at: self.ends_at,
            is_revoked: self.is_revoked,
        }
    }
}

/// The session of a session token, or of a refresh token, be it exchanged or not. To be called as the owner.
pub fn find_session(token: &Token) -> Option<Session> {
    select_latest(
        "SELECT s.id, s.user_id, s.login_org_id, s.refresh_token_hash, s.parent_token_hash, s.refreshed_at, \
                s.child_salt, least(s.expires_at, s.absolute_expires_at), \
                EXISTS (SELECT FROM auth.session_revocations AS r WHERE r.session_id = s.id), \
                pg_catalog.to_jsonb(s.expires_at), pg_catalog.to_jsonb(s.session_token_expires_at) \
         FROM auth.sessions AS s \
         WHERE s.id = coalesce( \
             (SELECT t.id FROM auth.sessions AS t WHERE t.refresh_token_hash = $1), \
             (SELECT h.session_id FROM auth.refresh_tokens AS h WHERE h.token_hash = $1), \
             (SELECT t.id FROM auth.sessions AS t WHERE t.session_token_hash = $1))",
        &[token.hash().into()],
        |rows| {
            let row = rows.first()?;
            let value = |column| row.get::<JsonB>(column).map_or(Value::Null, |value| value.0);
            Some(Session {
                id: row.get(1).map(from_datum)?,
                user_id: row.get(2).map(from_datum)?,
                login_org_id: row.get(3).map(from_datum),
                refresh_token_hash: row.get(4),
                parent_token_hash: row.get(5),
                refreshed_at: row.get(6).map(time::from_datum),
                child_salt: row
                    .get::<Vec<u8>>(7)
                    .and_then(|salt| salt.try_into().ok()),
                ends_at: row.get(8).map(time::from_datum)?,
                is_revoked: row.get(9)?,
                ends: Ends {
                    expires_at: value(10),
                    session_token_expires_at: value(11),
                },
            })
        },
    )
}
