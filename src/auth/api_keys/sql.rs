//! Functions of API keys that need Rust; their comments and grants are in sql/auth/api_keys.sql.

use pgrx::datum::{Interval, TimestampWithTimeZone};
use pgrx::prelude::*;
use pgrx::JsonB;
use serde_json::json;
use uuid::Uuid;

use super::known::refused;
use super::outcome::{note_refusal, note_use, record};
use super::scopes::Scopes;
use super::stored::{StoredKey, MOST_GENERATIONS};
use crate::auth::caller::is_service;
use crate::auth::outcomes::{count_unknown, Unknown};
use crate::auth::tokens::{Kind, Token};
use crate::codeverify::errors::Error;
use crate::codeverify::jsonb::{Jsonb, JsonbArgument};
use crate::codeverify::owner::as_owner;
use crate::codeverify::query::{select_one, update, update_one};
use crate::codeverify::raise::{or_raise, raise};
use crate::codeverify::time;
use crate::codeverify::unlogged_statement::UnloggedStatement;
use crate::tenancy::context::{self, Identity};
use crate::tenancy::permission::{MemberRole, Permission};
use crate::tenancy::settings;
use crate::tenancy::sql::{from_datum, to_datum};

extension_sql_file!(
    "../../../sql/auth/api_keys.sql",
    name = "auth_api_keys",
    requires = [
        create_api_key,
        rotate_api_key,
        revoke_api_key,
        authenticate_api_key
    ]
);

#[pg_extern(schema = "auth", volatile, parallel_unsafe)]
fn create_api_key(
    org_id: Option<pgrx::Uuid>,
    name: Option<&str>,
    scopes: default!(Option<JsonbArgument>, "'[\"read\"]'"),
    expires_at: default!(Option<TimestampWithTimeZone>, "NULL"),
    service_id: default!(Option<pgrx::Uuid>, "NULL"),
) -> TableIterator<'static, (name!(api_key_id, pgrx::Uuid), name!(api_key, String))> {
    let org_id = or_raise(org_id.map(from_datum).ok_or(Error::ContextMissing));
    or_raise(require_manager_of(org_id));
    let name = or_raise(check_name(name));
    let scopes = or_raise(check_scopes(scopes.as_ref()));
    let mut expires_at = expires_at;
    let parent_id = settings::api_key_id();
    let created_by = match parent_id {
        Some(parent_id) => {
            let parent = or_raise(lock_parent(org_id, parent_id));
            or_raise(check_descent(parent_id, &scopes));
            expires_at = or_raise(earlier_end(expires_at, parent.expires_at));
            parent.created_by
        }
        None => or_raise(lock_creator(org_id)),
    };
    // Only now does nobody leave any more who answers for the key.
    let created_at = clock_timestamp();
    if expires_at.is_some_and(|end| end <= created_at) {
        raise(invalid_request("expires_at is in the past"));
    }
    let key = or_raise(generate());
    let api_key_id = as_owner(|| {
        update_one::<pgrx::Uuid>(
            "INSERT INTO auth.api_keys \
                 (org_id, name, key_hash, key_prefix, scopes, expires_at, service_id, created_by, parent_id, created_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) \
             RETURNING id",
            &[
                to_datum(org_id).into(),
                name.into(),
                key.hash().into(),
                key.prefix().into(),
                JsonB(scopes.to_json()).into(),
                expires_at.into(),
                service_id.into(),
                created_by.into(),
                parent_id.map(to_datum).into(),
                created_at.into(),
            ],
        )
    });
    if let Some(id) = api_key_id {
        record(
            "api_key.created",
            org_id,
            from_datum(id),
            json!({ "name": name, "scopes": scopes.to_json(), "parent_id": parent_id.map(|id| id.to_string()) }),
        );
    }
    TableIterator::new(api_key_id.map(|id| (id, key.text().to_owned())))
}

/// A tenant manages its own keys; a trusted role that has taken on no tenant manages any.
fn require_manager_of(org_id: Uuid) -> Result<(), Error> {
    match settings::org_id() {
        Some(current) if current == org_id => {
            context::require_permission(Permission::Manage).map(|_| ())
        }
        None if is_service() => Ok(()),
        None => Err(Error::ContextMissing),
        Some(_) => Err(Error::NoSuchOrganization {
            org_id: org_id.to_string(),
        }),
    }
}

fn generate() -> Result<Token, Error> {
    Token::generate(Kind::ApiKey, getrandom::fill).map_err(|_| Error::NoRandomness)
}

fn check_name(name: Option<&str>) -> Result<&str, Error> {
    name.filter(|name| (1..=255).contains(&name.chars().count()))
        .ok_or_else(|| invalid_request("a key needs a name of 1 to 255 characters"))
}

fn check_scopes(scopes: Option<&JsonbArgument>) -> Result<Scopes, Error> {
    let json = scopes
        .filter(|scopes| scopes.size() < 64 * 1024)
        .map(JsonbArgument::text);
    Scopes::request(json).map_err(invalid_request)
}

fn invalid_request(problem: impl Into<String>) -> Error {
    Error::InvalidApiKeyRequest {
        problem: problem.into(),
    }
}

/// The user in context, who answers for the key; None for a trusted role. The membership stays as it is until the
/// key is there, so that its end finds the key.
fn lock_creator(org_id: Uuid) -> Result<Option<pgrx::Uuid>, Error> {
    let Some(user_id) = settings::user_id() else {
        return Ok(None);
    };
    let role = as_owner(|| {
        lock_user(user_id);
        update_one::<String>(
            "SELECT m.role FROM tenancy.org_memberships AS m \
             WHERE m.org_id = $1 AND m.user_id = $2 FOR SHARE",
            &[to_datum(org_id).into(), to_datum(user_id).into()],
        )
    });
    let role: MemberRole = role
        .and_then(|name| name.parse().ok())
        .ok_or(Error::NotAMember {
            user_id: user_id.to_string(),
            org_id: org_id.to_string(),
        })?;
    if role.allows(Permission::Manage) {
        Ok(Some(to_datum(user_id)))
    } else {
        Err(Error::RoleNotAllowed {
            permission: Permission::Manage.name(),
        })
    }
}

/// As the key's foreign key does later: whoever deletes a user locks the user first, then memberships and keys, and
/// would wait for those while their holder waits for the user.
fn lock_user(user_id: Uuid) {
    update(
        "SELECT FROM auth.users AS u WHERE u.id = $1 FOR KEY SHARE",
        &[to_datum(user_id).into()],
        |_| Ok(()),
    );
}

/// What a key hands on to those that it makes.
struct Parent {
    created_by: Option<pgrx::Uuid>,
    expires_at: Option<TimestampWithTimeZone>,
}

/// The key in context, which stays as it is until its child is there, so that whoever revokes it finds the child.
fn lock_parent(org_id: Uuid, key_id: Uuid) -> Result<Parent, Error> {
    as_owner(|| {
        if let Some(user_id) = StoredKey::find_by_id(key_id).and_then(|key| key.created_by) {
            lock_user(user_id);
        }
        update(
            "SELECT k.created_by, k.expires_at FROM auth.api_keys AS k \
             WHERE k.org_id = $1 AND k.id = $2 AND k.revoked_at IS NULL FOR SHARE",
            &[to_datum(org_id).into(), to_datum(key_id).into()],
            |rows| {
                if rows.is_empty() {
                    return Ok(None);
                }
                let row = rows.first();
                Ok(Some(Parent {
                    created_by: row.get(1)?,
                    expires_at: row.get(2)?,
                }))
            },
        )
    })
    .ok_or_else(|| invalid_request("the key in context was revoked"))
}

/// A key makes no key that could do what it could not, and none without end.
fn check_descent(parent_id: Uuid, scopes: &Scopes) -> Result<(), Error> {
    let Some(parent) = StoredKey::find_by_id(parent_id) else {
        return Err(invalid_request("the key in context is gone"));
    };
    let role = settings::member_role().unwrap_or(MemberRole::Viewer);
    if let Some(name) = scopes.beyond(&parent.known().scopes, role) {
        return Err(invalid_request(format!(
            "the key in context has no scope \"{name}\" to give"
        )));
    }
    if parent.generation() + 1 >= MOST_GENERATIONS {
        return Err(invalid_request(format!(
            "no more than {MOST_GENERATIONS} keys descend from one another"
        )));
    }
    Ok(())
}

fn earlier_end(
    wanted: Option<TimestampWithTimeZone>,
    limit: Option<TimestampWithTimeZone>,
) -> Result<Option<TimestampWithTimeZone>, Error> {
    match (wanted, limit) {
        (Some(wanted), Some(limit)) if wanted > limit => Err(invalid_request(
            "expires_at is after the end of the key in context",
        )),
        (Some(wanted), _) => Ok(Some(wanted)),
        (None, limit) => Ok(limit),
    }
}

/// The organization whose keys the caller manages; None for all of them.
fn managed_organization() -> Result<Option<Uuid>, Error> {
    if is_service() {
        Ok(None)
    } else {
        context::require_permission(Permission::Manage).map(Some)
    }
}

/// The key, if the caller manages it.
fn find_managed(api_key_id: Option<pgrx::Uuid>) -> Result<Option<StoredKey>, Error> {
    let org_id = managed_organization()?;
    Ok(api_key_id
        .map(from_datum)
        .and_then(StoredKey::find_by_id)
        .filter(|key| org_id.is_none_or(|org_id| org_id == key.org_id)))
}

#[pg_extern(schema = "auth", volatile, parallel_unsafe)]
fn rotate_api_key(
    api_key_id: Option<pgrx::Uuid>,
    grace: default!(Option<Interval>, "NULL"),
) -> JsonB {
    let found = or_raise(find_managed(api_key_id));
    or_raise(check_grace(grace));
    let Some(found) = found else {
        return not_rotated("not_found");
    };
    // Otherwise a key could take over one that outlives it.
    if settings::api_key_id().is_some_and(|id| !found.descends_from(id)) {
        raise(invalid_request(
            "a key rotates itself and the keys that it has made, and no others",
        ));
    }
    if let Err(fault) = found.role(&found.known().scopes, time::stored_now()) {
        return not_rotated(fault.status());
    }
    // Who rotates a key knows its text, so it ends with their membership from then on.
    let answerable = or_raise(lock_creator(found.org_id));
    let key = or_raise(generate());
    let rotated = as_owner(|| {
        update(
            "UPDATE auth.api_keys AS k \
             SET key_hash = $2, \
                 key_prefix = $3, \
                 previous_key_hash = CASE WHEN $4 > interval '0' THEN k.key_hash END, \
                 previous_expires_at = CASE WHEN $4 > interval '0' THEN pg_catalog.clock_timestamp() + $4 END, \
                 rotated_at = pg_catalog.clock_timestamp(), \
                 created_by = coalesce($5, k.created_by) \
             WHERE k.id = $1 AND k.revoked_at IS NULL \
             RETURNING pg_catalog.to_jsonb(k.previous_expires_at)",
            &[
                to_datum(found.id).into(),
                key.hash().into(),
                key.prefix().into(),
                grace.into(),
                answerable.into(),
            ],
            |rows| {
                if rows.is_empty() {
                    return Ok(None);
                }
                Ok(Some(rows.first().get::<JsonB>(1)?.map(|end| end.0)))
            },
        )
    });
    let Some(previous_expires_at) = rotated else {
        return not_rotated("revoked");
    };
    record(
        "api_key.rotated",
        found.org_id,
        found.id,
        json!({ "previous_expires_at": previous_expires_at }),
    );
    JsonB(json!({
        "status": "ok",
        "api_key_id": found.id.to_string(),
        "api_key": key.text(),
        "previous_expires_at": previous_expires_at,
    }))
}

fn not_rotated(status: &str) -> JsonB {
    JsonB(json!({
        "status": status,
        "api_key_id": null,
        "api_key": null,
        "previous_expires_at": null,
    }))
}

fn check_grace(grace: Option<Interval>) -> Result<(), Error> {
    let Some(grace) = grace else {
        return Ok(());
    };
    // Not with operators that the caller may have put on its path.
    let fits = as_owner(|| {
        select_one::<bool>(
            "SELECT $1 BETWEEN interval '0' AND interval '30 days'",
            &[grace.into()],
        )
    });
    if fits == Some(true) {
        Ok(())
    } else {
        Err(invalid_request(
            "the old text of a key can go on for at most 30 days",
        ))
    }
}

#[pg_extern(schema = "auth", volatile, parallel_unsafe)]
fn revoke_api_key(api_key_id: Option<pgrx::Uuid>) -> bool {
    let Some(found) = or_raise(find_managed(api_key_id)) else {
        return false;
    };
    let revoked = as_owner(|| {
        update_one::<i32>(
            "SELECT auth.revoke_lineage(ARRAY[$1])",
            &[to_datum(found.id).into()],
        )
    })
    .unwrap_or_default();
    if revoked > 0 {
        record(
            "api_key.revoked",
            found.org_id,
            found.id,
            json!({ "keys": revoked }),
        );
    }
    revoked > 0
}

#[pg_extern(schema = "auth", volatile, parallel_unsafe)]
fn authenticate_api_key(
    api_key: Option<&str>,
    required_scope: default!(Option<&str>, "NULL"),
) -> Option<Jsonb> {
    let _unlogged = UnloggedStatement::begin();
    let Some(token) = api_key.and_then(|text| Token::parse(Kind::ApiKey, text)) else {
        return refused("invalid");
    };
    let Some(key) = StoredKey::find(&token) else {
        count_unknown(Unknown::ApiKey);
        return refused("invalid");
    };
    let known = key.known();
    let role = match key.role(&known.scopes, time::stored_now()) {
        Ok(role) => role,
        Err(fault) => {
            note_refusal(&key, fault.reason());
            return refused(fault.status());
        }
    };
    if required_scope.is_some_and(|required| !known.scopes.grant(role, required)) {
        note_refusal(&key, "insufficient_scope");
        return refused("insufficient_scope");
    }
    or_raise(context::set(Identity {
        org_id: key.org_id,
        user_id: None,
        role,
        api_key_id: Some(key.id),
    }));
    note_use(&key);
    known.answer()
}
