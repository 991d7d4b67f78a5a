//! Hands an organization over; the comment and grant are in sql/tenancy/ownership.sql.

use pgrx::prelude::*;
use serde_json::json;
use uuid::Uuid;

use super::context;
use super::permission::{MemberRole, Permission};
use super::settings;
use super::sql::{from_datum, to_datum};
use crate::auth::outcomes::{record_success, Outcome};
use crate::codeverify::errors::Error;
use crate::codeverify::owner::as_owner;
use crate::codeverify::query::{update, update_one};
use crate::codeverify::raise::{or_raise, raise};

extension_sql_file!(
    "../../sql/tenancy/ownership.sql",
    name = "tenancy_ownership",
    requires = [transfer_ownership]
);

#[pg_extern(schema = "tenancy", volatile, parallel_unsafe)]
fn transfer_ownership(org_id: Option<pgrx::Uuid>, user_id: Option<pgrx::Uuid>) {
    let org_id = or_raise(org_id.map(from_datum).ok_or(Error::ContextMissing));
    let current = or_raise(context::require_permission(Permission::Own));
    if current != org_id {
        raise(Error::NoSuchOrganization {
            org_id: org_id.to_string(),
        });
    }
    // The service as such is no owner who could become something else.
    let owner_id = or_raise(settings::user_id().ok_or(Error::NotYourUser));
    let heir = user_id.map(from_datum);
    as_owner(|| lock_organization(org_id));
    // The context says what the caller was when it was made; a transfer that came first made them something else.
    if as_owner(|| lock_role(org_id, owner_id)) != Some(MemberRole::Owner) {
        raise(Error::RoleNotAllowed {
            permission: Permission::Own.name(),
        });
    }
    let (Some(heir_id), Some(_)) = (
        heir,
        heir.and_then(|heir_id| as_owner(|| lock_role(org_id, heir_id))),
    ) else {
        raise(Error::NotAMember {
            user_id: heir.map_or_else(|| "NULL".to_owned(), |id| id.to_string()),
            org_id: org_id.to_string(),
        });
    };
    if heir_id == owner_id {
        return;
    }
    as_owner(|| {
        // In this order there is an owner at every moment.
        set_role(org_id, heir_id, MemberRole::Owner);
        set_role(org_id, owner_id, MemberRole::Admin);
    });
    record_success(&Outcome {
        action: "ownership.transferred",
        org_id: Some(org_id),
        user_id: Some(owner_id),
        resource_id: Some(org_id),
        details: json!({ "from": owner_id.to_string(), "to": heir_id.to_string() }),
        ip_address: None,
        user_agent: None,
    });
}

/// As everything does that changes who owns the organization, before it touches a membership.
fn lock_organization(org_id: Uuid) {
    update(
        "SELECT FROM tenancy.organizations AS o WHERE o.id = $1 FOR NO KEY UPDATE",
        &[to_datum(org_id).into()],
        |_| Ok(()),
    );
}

fn lock_role(org_id: Uuid, user_id: Uuid) -> Option<MemberRole> {
    update_one::<String>(
        "SELECT m.role FROM tenancy.org_memberships AS m \
         WHERE m.org_id = $1 AND m.user_id = $2 FOR UPDATE",
        &[to_datum(org_id).into(), to_datum(user_id).into()],
    )?
    .parse()
    .ok()
}

fn set_role(org_id: Uuid, user_id: Uuid, role: MemberRole) {
    update(
        "UPDATE tenancy.org_memberships SET role = $3 WHERE org_id = $1 AND user_id = $2",
        &[
            to_datum(org_id).into(),
            to_datum(user_id).into(),
            role.name().into(),
        ],
        |_| Ok(()),
    );
}
