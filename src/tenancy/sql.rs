//! Functions of schema tenancy that need Rust; their comments and grants are in sql/tenancy/functions.sql.

use pgrx::prelude::*;
use uuid::Uuid;

use super::context::{self, Identity};
use super::permission::{MemberRole, Permission};
use super::settings;
use crate::codeverify::errors::Error;
use crate::codeverify::latest::select_latest;
use crate::codeverify::owner::{as_owner, caller_has_role};
use crate::codeverify::raise::{or_raise, raise};

extension_sql_file!(
    "../../sql/tenancy/functions.sql",
    name = "tenancy_functions",
    requires = [
        current_org_id,
        current_user_id,
        current_role,
        current_api_key_id,
        has_permission,
        require_permission,
        list_permissions,
        assume
    ]
);
extension_sql_file!(
    "../../sql/tenancy/isolation.sql",
    name = "tenancy_isolation",
    requires = ["tenancy_functions"]
);
extension_sql_file!(
    "../../sql/tenancy/authorship.sql",
    name = "tenancy_authorship",
    requires = ["tenancy_functions"]
);

/// A uuid of the standard crate as PostgreSQL's.
pub fn to_datum(id: Uuid) -> pgrx::Uuid {
    pgrx::Uuid::from_bytes(*id.as_bytes())
}

/// PostgreSQL's uuid as one of the standard crate.
pub fn from_datum(id: pgrx::Uuid) -> Uuid {
    Uuid::from_bytes(*id.as_bytes())
}

#[pg_extern(schema = "tenancy", stable, parallel_safe, cost = 1)]
fn current_org_id() -> Option<pgrx::Uuid> {
    settings::org_id().map(to_datum)
}

#[pg_extern(schema = "tenancy", stable, parallel_safe, cost = 1)]
fn current_user_id() -> Option<pgrx::Uuid> {
    settings::user_id().map(to_datum)
}

#[pg_extern(schema = "tenancy", stable, parallel_safe, cost = 1)]
fn current_role() -> Option<&'static str> {
    settings::member_role().map(MemberRole::name)
}

#[pg_extern(schema = "tenancy", stable, parallel_safe, cost = 1)]
fn current_api_key_id() -> Option<pgrx::Uuid> {
    settings::api_key_id().map(to_datum)
}

/// The table of permissions, for the view tenancy.permissions.
#[pg_extern(schema = "tenancy", immutable, parallel_safe)]
fn list_permissions() -> TableIterator<
    'static,
    (
        name!(role, &'static str),
        name!(permission, &'static str),
        name!(allowed, bool),
        name!(what_it_allows, &'static str),
    ),
> {
    TableIterator::new(MemberRole::ALL.into_iter().flat_map(|role| {
        Permission::ALL.into_iter().map(move |permission| {
            (
                role.name(),
                permission.name(),
                role.allows(permission),
                permission.meaning(),
            )
        })
    }))
}

#[pg_extern(schema = "tenancy", stable, parallel_safe, cost = 1)]
fn has_permission(permission: &str) -> bool {
    let wanted = or_raise(parse_permission(permission));
    settings::member_role().is_some_and(|role| role.allows(wanted))
}

#[pg_extern(schema = "tenancy", stable, parallel_safe, cost = 1)]
fn require_permission(permission: Option<&str>) -> pgrx::Uuid {
    let wanted = or_raise(parse_permission(permission.unwrap_or("NULL")));
    to_datum(or_raise(context::require_permission(wanted)))
}

fn parse_permission(name: &str) -> Result<Permission, Error> {
    name.parse().map_err(|()| Error::UnknownPermission {
        permission: name.to_owned(),
    })
}

#[pg_extern(schema = "tenancy", volatile, parallel_unsafe)]
fn assume(org_id: Option<pgrx::Uuid>, user_id: default!(Option<pgrx::Uuid>, "NULL")) {
    let org_id = or_raise(org_id.map(from_datum).ok_or(Error::ContextMissing));
    let user_id = user_id.map(from_datum);
    // The grant says so too, but default privileges of a database can widen grants.
    if !caller_has_role(c"codeverify_service") {
        raise(Error::NotTrusted);
    }
    let role = or_raise(as_owner(|| find_role(org_id, user_id)));
    or_raise(context::set(Identity {
        org_id,
        user_id,
        role,
        api_key_id: None,
    }));
}

/// The role to act with: the member's own; without a user the trusted caller acts as an owner would.
fn find_role(org_id: Uuid, user_id: Option<Uuid>) -> Result<MemberRole, Error> {
    let exists = select_latest(
        "SELECT FROM tenancy.organizations WHERE id = $1",
        &[to_datum(org_id).into()],
        |rows| rows.first().is_some(),
    );
    if !exists {
        return Err(Error::NoSuchOrganization {
            org_id: org_id.to_string(),
        });
    }
    let Some(user_id) = user_id else {
        return Ok(MemberRole::Owner);
    };
    select_latest(
        "SELECT role FROM tenancy.org_memberships WHERE org_id = $1 AND user_id = $2",
        &[to_datum(org_id).into(), to_datum(user_id).into()],
        |rows| rows.first()?.get::<String>(1),
    )
    .and_then(|name| name.parse().ok())
    .ok_or(Error::NotAMember {
        user_id: user_id.to_string(),
        org_id: org_id.to_string(),
    })
}
