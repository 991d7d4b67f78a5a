//! Functions of API keys that need Rust; their comments and grants are in sql/auth/api_keys.sql.

use pgrx::datum::TimestampWithTimeZone;
use pgrx::prelude::*;
use pgrx::JsonB;
use serde_json::{json, Value};
use uuid::Uuid;

use crate::auth::tokens::{Kind, Token};
use crate::codeverify::errors::Error;
use crate::codeverify::jsonb::JsonbArgument;
use crate::codeverify::owner::{as_owner, caller_has_role};
use crate::codeverify::query::{select, update, update_one};
use crate::codeverify::raise::{or_raise, raise};
use crate::tenancy::context::{self, Identity};
use crate::tenancy::permission::{MemberRole, Permission};
use crate::tenancy::settings;
use crate::tenancy::sql::{from_datum, to_datum};

extension_sql_file!(
    "../../../sql/auth/api_keys.sql",
    name = "auth_api_keys",
    requires = [create_api_key, authenticate_api_key]
);

#[pg_extern(schema = "auth", volatile, parallel_unsafe)]
fn create_api_key(
    org_id: Option<pgrx::Uuid>,
    name: Option<&str>,
    scopes: default!(Option<JsonbArgument>, "'[\"read\"]'"),
    expires_at: default!(Option<TimestampWithTimeZone>, "NULL"),
    service_id: default!(Option<pgrx::Uuid>, "NULL"),
) -> TableIterator<'static, (name!(api_key_id, pgrx::Uuid), name!(api_key, String))> {
    let org_id = or_raise(org_id.ok_or(Error::ContextMissing));
    or_raise(require_key_manager(from_datum(org_id)));
    let name = or_raise(check_name(name));
    let scopes = or_raise(check_scopes(scopes.as_ref()));
    if expires_at.is_some_and(|end| end <= clock_timestamp()) {
        raise(invalid_request("expires_at is in the past"));
    }
    let key =
        or_raise(Token::generate(Kind::ApiKey, getrandom::fill).map_err(|_| Error::NoRandomness));
    let created_by = settings::user_id().map(to_datum);
    let api_key_id = as_owner(|| {
        update_one::<pgrx::Uuid>(
            "INSERT INTO auth.api_keys \
                 (org_id, name, key_hash, key_prefix, scopes, expires_at, service_id, created_by) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8) \
             RETURNING id",
            &[
                org_id.into(),
                name.into(),
                key.hash().into(),
                key.prefix().into(),
                JsonB(scopes).into(),
                expires_at.into(),
                service_id.into(),
                created_by.into(),
            ],
        )
    });
    TableIterator::new(api_key_id.map(|id| (id, key.text().to_owned())))
}

/// A tenant manages its own keys; a trusted role that has taken on no tenant manages any.
fn require_key_manager(org_id: Uuid) -> Result<(), Error> {
    match settings::org_id() {
        Some(current) if current == org_id => {
            context::require_permission(Permission::Manage).map(|_| ())
        }
        None if caller_has_role(c"codeverify_service") => Ok(()),
        None => Err(Error::ContextMissing),
        Some(_) => Err(Error::NoSuchOrganization {
            org_id: org_id.to_string(),
        }),
    }
}

fn check_name(name: Option<&str>) -> Result<&str, Error> {
    name.filter(|name| (1..=255).contains(&name.chars().count()))
        .ok_or_else(|| invalid_request("a key needs a name of 1 to 255 characters"))
}

/// Scopes are at most 64 names, and one of them says at least that the key may read: a context lets its
/// holder see the organization's rows.
fn check_scopes(scopes: Option<&JsonbArgument>) -> Result<Value, Error> {
    let is_name = |scope: &Value| {
        scope
            .as_str()
            .is_some_and(|name| (1..=255).contains(&name.chars().count()))
    };
    let is_general = |scope: &Value| matches!(scope.as_str(), Some("read" | "write" | "admin"));
    let scopes = scopes
        .filter(|scopes| scopes.size() < 64 * 1024)
        .and_then(|scopes| serde_json::from_str(scopes.text()).ok())
        .unwrap_or(Value::Null);
    match scopes.as_array() {
        Some(names) if names.len() <= 64 && names.iter().all(is_name) => {
            if names.iter().any(is_general) {
                Ok(scopes)
            } else {
                Err(invalid_request(
                    "one of the scopes must be read, write or admin",
                ))
            }
        }
        _ => Err(invalid_request(
            "scopes must be an array of at most 64 names",
        )),
    }
}

fn invalid_request(problem: &str) -> Error {
    Error::InvalidApiKeyRequest {
        problem: problem.to_owned(),
    }
}

#[pg_extern(schema = "auth", volatile, parallel_unsafe)]
fn authenticate_api_key(
    api_key: Option<&str>,
    required_scope: default!(Option<&str>, "NULL"),
) -> JsonB {
    let Some(key) = api_key.and_then(|text| Token::parse(Kind::ApiKey, text)) else {
        return refused("invalid");
    };
    let Some(found) = as_owner(|| find_key(&key)) else {
        return refused("invalid");
    };
    if found.expired {
        return refused("expired");
    }
    let scopes: Vec<&str> = found
        .scopes
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let role = MemberRole::from_scopes(scopes.iter().copied());
    if required_scope.is_some_and(|required| !grants(&scopes, role, required)) {
        return refused("insufficient_scope");
    }
    stamp_use(&found);
    or_raise(context::set(Identity {
        org_id: from_datum(found.org_id),
        user_id: None,
        role,
    }));
    JsonB(json!({
        "status": "ok",
        "org_id": from_datum(found.org_id).to_string(),
        "api_key_id": from_datum(found.api_key_id).to_string(),
        "scopes": found.scopes,
    }))
}

/// Whether the key has the scope itself or, for the three general ones, a wider one.
fn grants(scopes: &[&str], role: MemberRole, required: &str) -> bool {
    match required {
        "read" => role.allows(Permission::Read),
        "write" => role.allows(Permission::Write),
        "admin" => role.allows(Permission::Manage),
        _ => scopes.contains(&required),
    }
}

fn refused(status: &str) -> JsonB {
    JsonB(json!({ "status": status, "org_id": null, "api_key_id": null, "scopes": [] }))
}

struct StoredKey {
    api_key_id: pgrx::Uuid,
    org_id: pgrx::Uuid,
    scopes: Value,
    expired: bool,
    use_is_stale: bool,
}

fn find_key(key: &Token) -> Option<StoredKey> {
    select(
        "SELECT id, org_id, scopes, \
                coalesce(expires_at <= pg_catalog.clock_timestamp(), false), \
                coalesce(last_used_at < pg_catalog.now() - interval '1 minute', true) \
         FROM auth.api_keys WHERE key_hash = $1",
        &[key.hash().into()],
        |rows| {
            if rows.is_empty() {
                return Ok(None);
            }
            let row = rows.first();
            let (Some(api_key_id), Some(org_id), scopes) =
                (row.get(1)?, row.get(2)?, row.get::<JsonB>(3)?)
            else {
                return Ok(None);
            };
            Ok(Some(StoredKey {
                api_key_id,
                org_id,
                scopes: scopes.map_or(Value::Null, |scopes| scopes.0),
                expired: row.get(4)?.unwrap_or(true),
                use_is_stale: row.get(5)?.unwrap_or(false),
            }))
        },
    )
}

/// Keeps last_used_at true to the minute without ever waiting for another user of the key.
fn stamp_use(key: &StoredKey) {
    // A standby is always read-only, and above READ COMMITTED a stamp that another transaction has
    // renewed since our snapshot would end this one with a serialization failure.
    // SAFETY: reads two flags of the current transaction.
    let can_write = unsafe {
        !pg_sys::XactReadOnly && pg_sys::XactIsoLevel <= pg_sys::XACT_READ_COMMITTED as i32
    };
    if !key.use_is_stale || !can_write {
        return;
    }
    as_owner(|| {
        update(
            "UPDATE auth.api_keys SET last_used_at = pg_catalog.now() WHERE id = \
                 (SELECT id FROM auth.api_keys WHERE id = $1 FOR NO KEY UPDATE SKIP LOCKED)",
            &[key.api_key_id.into()],
            |_| Ok(()),
        )
    });
}
