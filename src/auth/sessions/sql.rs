//! Functions of sessions that need Rust; their comments and grants are in sql/auth/sessions.sql.

use pgrx::datum::TimestampWithTimeZone;
use pgrx::prelude::*;
use pgrx::JsonB;
use uuid::Uuid;

use super::revoke::{revoke_all, revoke_one, Reason};
use super::{authenticate::authenticate, current::current, logout, refresh::refresh};
use crate::auth::caller::{is_service, require_self_or_service};
use crate::codeverify::errors::Error;
use crate::codeverify::owner::as_owner;
use crate::codeverify::query::{select, select_one};
use crate::codeverify::raise::or_raise;
use crate::codeverify::unlogged_statement::UnloggedStatement;
use crate::tenancy::settings;
use crate::tenancy::sql::{from_datum, to_datum};

extension_sql_file!(
    "../../../sql/auth/sessions.sql",
    name = "auth_sessions",
    requires = [
        authenticate_session,
        refresh_session,
        logout,
        list_sessions,
        revoke_session,
        revoke_sessions
    ]
);

#[pg_extern(schema = "auth", volatile, parallel_unsafe)]
fn authenticate_session(
    token: Option<&str>,
    org_id: default!(Option<pgrx::Uuid>, "NULL"),
) -> JsonB {
    let _unlogged = UnloggedStatement::begin();
    JsonB(or_raise(authenticate(token, org_id.map(from_datum))))
}

#[pg_extern(schema = "auth", volatile, parallel_unsafe)]
fn refresh_session(refresh_token: Option<&str>) -> JsonB {
    let _unlogged = UnloggedStatement::begin();
    JsonB(or_raise(refresh(refresh_token)))
}

#[pg_extern(schema = "auth", volatile, parallel_unsafe)]
fn logout(token: Option<&str>) -> JsonB {
    let _unlogged = UnloggedStatement::begin();
    JsonB(logout::logout(token))
}

type SessionRow = (
    pgrx::Uuid,
    TimestampWithTimeZone,
    Option<TimestampWithTimeZone>,
    TimestampWithTimeZone,
    JsonB,
    Option<String>,
    bool,
);

#[pg_extern(schema = "auth", stable, parallel_unsafe)]
#[allow(clippy::type_complexity)]
fn list_sessions(
    user_id: default!(Option<pgrx::Uuid>, "NULL"),
) -> TableIterator<
    'static,
    (
        name!(id, pgrx::Uuid),
        name!(created_at, TimestampWithTimeZone),
        name!(last_used, Option<TimestampWithTimeZone>),
        name!(expires_at, TimestampWithTimeZone),
        name!(device_info, JsonB),
        name!(ip_address, Option<String>),
        name!(is_current, bool),
    ),
> {
    let user_id = or_raise(acting_for(user_id.map(from_datum)));
    TableIterator::new(as_owner(|| find_sessions(user_id)))
}

/// The user who is named, or the one in context.
fn acting_for(user_id: Option<Uuid>) -> Result<Uuid, Error> {
    let user_id = user_id.or(settings::user_id()).ok_or(Error::NotYourUser)?;
    require_self_or_service(user_id)?;
    Ok(user_id)
}

fn find_sessions(user_id: Uuid) -> Vec<SessionRow> {
    select(
        "SELECT s.id, s.created_at, s.last_used, least(s.expires_at, s.absolute_expires_at), s.device_info, s.ip_address, \
                s.id IS NOT DISTINCT FROM $2 \
         FROM auth.sessions AS s \
         WHERE s.user_id = $1 \
           AND s.expires_at > pg_catalog.clock_timestamp() \
           AND NOT EXISTS (SELECT FROM auth.session_revocations AS r WHERE r.session_id = s.id) \
         ORDER BY coalesce(s.last_used, s.created_at) DESC, s.id",
        &[to_datum(user_id).into(), current().map(to_datum).into()],
        |rows| {
            let mut sessions = Vec::with_capacity(rows.len());
            for row in rows {
                if let (Some(id), Some(created_at), last_used, Some(expires_at), Some(device_info), ip_address, is_current) = (
                    row.get(1)?,
                    row.get(2)?,
                    row.get(3)?,
                    row.get(4)?,
                    row.get(5)?,
                    row.get(6)?,
                    row.get(7)?,
                ) {
                    sessions.push((
                        id,
                        created_at,
                        last_used,
                        expires_at,
                        device_info,
                        ip_address,
                        is_current == Some(true),
                    ));
                }
            }
            Ok(sessions)
        },
    )
}

#[pg_extern(schema = "auth", volatile, parallel_unsafe)]
fn revoke_session(session_id: Option<pgrx::Uuid>) -> bool {
    let user_id = if is_service() {
        as_owner(|| {
            select_one::<pgrx::Uuid>(
                "SELECT user_id FROM auth.sessions WHERE id = $1",
                &[session_id.into()],
            )
        })
        .map(from_datum)
    } else {
        Some(or_raise(settings::user_id().ok_or(Error::NotYourUser)))
    };
    match (user_id, session_id) {
        (Some(user_id), Some(session_id)) => {
            revoke_one(user_id, from_datum(session_id), Reason::Revoked)
        }
        _ => false,
    }
}

#[pg_extern(schema = "auth", volatile, parallel_unsafe)]
fn revoke_sessions(user_id: Option<pgrx::Uuid>) -> i32 {
    let user_id = or_raise(acting_for(user_id.map(from_datum)));
    i32::try_from(revoke_all(user_id, None, Reason::Revoked)).unwrap_or(i32::MAX)
}
