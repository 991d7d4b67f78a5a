//! Begins a session.

use pgrx::JsonB;
use serde_json::{json, Value};
use uuid::Uuid;

use super::derivation::Pair;
use crate::auth::outcomes::{record_success, Outcome};
use crate::auth::settings;
use crate::codeverify::errors::Error;
use crate::codeverify::owner::as_owner;
use crate::codeverify::query::update;
use crate::tenancy::sql::{from_datum, to_datum};

/// A session that was begun or refreshed. The texts of its tokens are shown this once.
pub struct NewSession {
    pub session_id: Uuid,
    pub pair: Pair,
    pub ends: Ends,
}

/// When a session and its session token end, as JSON strings.
pub struct Ends {
    /// The session's, unless it is used or refreshed before.
    pub expires_at: Value,
    /// The session token's.
    pub session_token_expires_at: Value,
}

impl NewSession {
    /// What the client is told, with the status ok.
    pub fn answer(&self) -> Value {
        json!({
            "status": "ok",
            "session_id": self.session_id.to_string(),
            "session_token": self.pair.session.text(),
            "session_token_expires_at": self.ends.session_token_expires_at,
            "refresh_token": self.pair.refresh.text(),
            "expires_at": self.ends.expires_at,
        })
    }
}

/// Begins a session of a user whose credentials were just checked. `org_id` is the organization that was chosen at
/// log-in, `device_info` a JSON object, `ip_address` where the user logged in from.
pub fn create(
    user_id: Uuid,
    org_id: Option<Uuid>,
    device_info: Value,
    ip_address: Option<&str>,
) -> Result<NewSession, Error> {
    let pair = Pair::random(getrandom::fill).map_err(|_| Error::NoRandomness)?;
    let (session_id, ends) = as_owner(|| {
        update(
            "INSERT INTO auth.sessions \
                 (user_id, login_org_id, device_info, ip_address, session_token_hash, refresh_token_hash, \
                  session_token_expires_at, expires_at, absolute_expires_at) \
             SELECT $1, $2, $3, $4, $5, $6, \
                    least(t.now + pg_catalog.make_interval(mins => $7), t.now + pg_catalog.make_interval(mins => $9)), \
                    least(t.now + pg_catalog.make_interval(mins => $8), t.now + pg_catalog.make_interval(mins => $9)), \
                    t.now + pg_catalog.make_interval(mins => $9) \
             FROM (SELECT pg_catalog.clock_timestamp() AS now) AS t \
             RETURNING id, pg_catalog.to_jsonb(expires_at), pg_catalog.to_jsonb(session_token_expires_at)",
            &[
                to_datum(user_id).into(),
                org_id.map(to_datum).into(),
                JsonB(device_info).into(),
                ip_address.into(),
                pair.session.hash().into(),
                pair.refresh.hash().into(),
                settings::session_token_lifetime().into(),
                settings::session_idle_timeout().into(),
                settings::session_absolute_timeout().into(),
            ],
            |rows| {
                let row = rows.first();
                Ok((
                    row.get::<pgrx::Uuid>(1)?.map(from_datum).unwrap_or_default(),
                    Ends {
                        expires_at: row.get::<JsonB>(2)?.map_or(Value::Null, |end| end.0),
                        session_token_expires_at: row.get::<JsonB>(3)?.map_or(Value::Null, |end| end.0),
                    },
                ))
            },
        )
    });
    record_success(&Outcome {
        action: "session.created",
        org_id,
        user_id: Some(user_id),
        resource_id: Some(session_id),
        details: json!({}),
        ip_address,
        user_agent: None,
    });
    Ok(NewSession {
        session_id,
        pair,
        ends,
    })
}
