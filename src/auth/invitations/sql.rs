//! Functions of invitations that need Rust; their comments and grants are in sql/auth/invitations.sql.

use pgrx::datum::Interval;
use pgrx::prelude::*;
use pgrx::JsonB;
use serde_json::{json, Value};
use uuid::Uuid;

use super::acceptance::{Inviter, Presented, Verdict};
use crate::auth::api_keys::stored::{member_role, StoredKey};
use crate::auth::caller::{is_service, require_self_or_service};
use crate::auth::outcomes::{count_unknown, record_failure, record_success, Outcome, Unknown};
use crate::auth::tokens::{Kind, Token};
use crate::auth::users::email::normalise;
use crate::codeverify::errors::Error;
use crate::codeverify::owner::as_owner;
use crate::codeverify::query::{select, select_one, update, update_one};
use crate::codeverify::raise::{or_raise, raise};
use crate::codeverify::time;
use crate::codeverify::told::Told;
use crate::codeverify::unlogged_statement::UnloggedStatement;
use crate::tenancy::context;
use crate::tenancy::permission::{MemberRole, Permission};
use crate::tenancy::settings;
use crate::tenancy::sql::{from_datum, to_datum};

thread_local! {
    /// Invitations, for whom they were refused, and why.
    static TOLD: Told<(Uuid, Uuid, &'static str)> = Told::default();
}

extension_sql_file!(
    "../../../sql/auth/invitations.sql",
    name = "auth_invitations",
    requires = [create_invitation, accept_invitation, revoke_invitation]
);

const MOST_USES: i32 = 10_000;

#[pg_extern(schema = "auth", volatile, parallel_unsafe)]
fn create_invitation(
    org_id: Option<pgrx::Uuid>,
    role: Option<&str>,
    email: default!(Option<&str>, "NULL"),
    max_uses: default!(Option<i32>, "1"),
    expires_in: default!(Option<Interval>, "'7 days'"),
) -> JsonB {
    let org_id = or_raise(org_id.map(from_datum).ok_or(Error::ContextMissing));
    let inviter = or_raise(require_inviter(org_id));
    let role = or_raise(check_role(role, inviter));
    let max_uses = or_raise(check_uses(max_uses, email.is_some()));
    let expires_in = or_raise(check_duration(expires_in));
    let address = email.map(normalise);
    if address == Some(None) {
        return JsonB(
            json!({ "status": "invalid_email", "invitation_id": null, "code": null, "expires_at": null }),
        );
    }
    let code = or_raise(
        Token::generate(Kind::Invitation, getrandom::fill).map_err(|_| Error::NoRandomness),
    );
    let made = as_owner(|| {
        update(
            "INSERT INTO auth.invitations \
                 (org_id, code_hash, role, email, max_uses, expires_at, created_by, api_key_id) \
             VALUES ($1, $2, $3, $4, $5, pg_catalog.now() + $6, $7, $8) \
             RETURNING id, pg_catalog.to_jsonb(expires_at)",
            &[
                to_datum(org_id).into(),
                code.hash().into(),
                role.name().into(),
                address.flatten().into(),
                max_uses.into(),
                expires_in.into(),
                settings::user_id().map(to_datum).into(),
                settings::api_key_id().map(to_datum).into(),
            ],
            |rows| {
                let row = rows.first();
                Ok((row.get::<pgrx::Uuid>(1)?, row.get::<JsonB>(2)?))
            },
        )
    });
    let id = made.0.map(from_datum);
    record_success(&outcome(
        "invitation.created",
        org_id,
        settings::user_id(),
        id,
        json!({ "role": role.name(), "max_uses": max_uses }),
    ));
    JsonB(json!({
        "status": "ok",
        "invitation_id": id.map(|id| id.to_string()),
        "code": code.text(),
        "expires_at": made.1.map(|end| end.0),
    }))
}

/// The role of whoever invites: a manager in the context of the organization, or the trusted back end, which acts
/// as an owner would.
fn require_inviter(org_id: Uuid) -> Result<MemberRole, Error> {
    match settings::org_id() {
        Some(current) if current == org_id => {
            context::require_permission(Permission::Manage)?;
            Ok(settings::member_role().unwrap_or(MemberRole::Viewer))
        }
        None if is_service() => Ok(MemberRole::Owner),
        None => Err(Error::ContextMissing),
        Some(_) => Err(Error::NoSuchOrganization {
            org_id: org_id.to_string(),
        }),
    }
}

fn check_role(name: Option<&str>, inviter: MemberRole) -> Result<MemberRole, Error> {
    let role = match name {
        // What documents call a plain member.
        Some("user") => Some(MemberRole::Member),
        name => name.and_then(|name| name.parse().ok()),
    };
    match role {
        None => Err(invalid_request(
            "the role must be admin, member, developer or viewer",
        )),
        Some(MemberRole::Owner) => Err(invalid_request("nobody becomes an owner by invitation")),
        Some(role) if role.lesser(inviter) == role => Ok(role),
        Some(_) => Err(Error::RoleNotAllowed {
            permission: Permission::Manage.name(),
        }),
    }
}

fn check_uses(max_uses: Option<i32>, is_bound: bool) -> Result<i32, Error> {
    match max_uses {
        Some(uses) if !(1..=MOST_USES).contains(&uses) => Err(invalid_request(format!(
            "max_uses must be from 1 to {MOST_USES}"
        ))),
        Some(uses) if is_bound && uses > 1 => {
            Err(invalid_request("an invitation to one address has one use"))
        }
        Some(uses) => Ok(uses),
        None => Err(invalid_request("max_uses must not be NULL")),
    }
}

fn check_duration(expires_in: Option<Interval>) -> Result<Interval, Error> {
    expires_in
        .filter(|time| {
            // Not with operators that the caller may have put on its path.
            let fits = as_owner(|| {
                select_one::<bool>(
                    "SELECT $1 > interval '0' AND $1 <= interval '1 year'",
                    &[(*time).into()],
                )
            });
            fits == Some(true)
        })
        .ok_or_else(|| invalid_request("expires_in must be more than 0 and at most a year"))
}

fn invalid_request(problem: impl Into<String>) -> Error {
    Error::InvalidInvitationRequest {
        problem: problem.into(),
    }
}

fn outcome(
    action: &'static str,
    org_id: Uuid,
    user_id: Option<Uuid>,
    invitation_id: Option<Uuid>,
    details: Value,
) -> Outcome<'static> {
    Outcome {
        action,
        org_id: Some(org_id),
        user_id,
        resource_id: invitation_id,
        details,
        ip_address: None,
        user_agent: None,
    }
}

#[pg_extern(schema = "auth", volatile, parallel_unsafe)]
fn accept_invitation(code: Option<&str>, user_id: Option<pgrx::Uuid>) -> JsonB {
    let _unlogged = UnloggedStatement::begin();
    let user_id = or_raise(user_id.map(from_datum).ok_or(Error::NotYourUser));
    or_raise(require_self_or_service(user_id));
    let Some(code) = code.and_then(|text| Token::parse(Kind::Invitation, text)) else {
        return answer("invalid", None);
    };
    let Some(found) = as_owner(|| Invitation::find(&code)) else {
        count_unknown(Unknown::Invitation);
        return answer("invalid", None);
    };
    let user = as_owner(|| find_user(user_id));
    let Some(verified_email) = user else {
        raise(invalid_request("the user does not exist"));
    };
    let presented = as_owner(|| found.present(user_id, verified_email));
    let Some(presented) = presented else {
        count_unknown(Unknown::Invitation);
        return answer("invalid", None);
    };
    match presented.verdict() {
        Verdict::Joins(role) => {
            as_owner(|| found.admit(user_id, role));
            let details = json!({ "role": role.name(), "user_id": user_id.to_string() });
            record_success(&outcome(
                "invitation.accepted",
                found.org_id,
                acting_user(user_id),
                Some(found.id),
                details,
            ));
            answer("ok", Some((found.org_id, role)))
        }
        Verdict::AlreadyMember(role) => answer("already_member", Some((found.org_id, role))),
        Verdict::Refused(status) => {
            if !TOLD.with(|told| told.was_told((found.id, user_id, status))) {
                let details = json!({ "reason": status, "user_id": user_id.to_string() });
                record_failure(&outcome(
                    "invitation.refused",
                    found.org_id,
                    acting_user(user_id),
                    Some(found.id),
                    details,
                ));
            }
            answer(status, None)
        }
    }
}

/// Who the ledger says has acted: nobody signs for another than the user in context.
fn acting_user(user_id: Uuid) -> Option<Uuid> {
    (settings::org_id().is_none() || settings::user_id() == Some(user_id)).then_some(user_id)
}

fn answer(status: &str, joined: Option<(Uuid, MemberRole)>) -> JsonB {
    JsonB(json!({
        "status": status,
        "org_id": joined.map(|(org_id, _)| org_id.to_string()),
        "role": joined.map(|(_, role)| role.name()),
    }))
}

/// What of an invitation never changes.
struct Invitation {
    id: Uuid,
    org_id: Uuid,
    created_by: Option<Uuid>,
    api_key_id: Option<Uuid>,
}

impl Invitation {
    fn find(code: &Token) -> Option<Invitation> {
        select(
            "SELECT id, org_id, created_by, api_key_id FROM auth.invitations WHERE code_hash = $1",
            &[code.hash().into()],
            |rows| {
                if rows.is_empty() {
                    return Ok(None);
                }
                let row = rows.first();
                let id = |column| row.get::<pgrx::Uuid>(column).map(|id| id.map(from_datum));
                let (Some(own_id), Some(org_id)) = (id(1)?, id(2)?) else {
                    return Ok(None);
                };
                Ok(Some(Invitation {
                    id: own_id,
                    org_id,
                    created_by: id(3)?,
                    api_key_id: id(4)?,
                }))
            },
        )
    }

    /// What it is worth to a user now. Everything that this depends on stays so until the transaction ends. The
    /// locks are taken in the order in which a member who leaves takes them: membership, keys, invitations.
    /// None when it was deleted meanwhile.
    fn present(&self, user_id: Uuid, verified_email: Option<String>) -> Option<Presented> {
        let key = self.api_key_id.and_then(StoredKey::find_by_id);
        let answerable = self
            .created_by
            .or(key.as_ref().and_then(|key| key.created_by));
        update(
            "SELECT FROM tenancy.org_memberships AS m WHERE m.org_id = $1 AND m.user_id = $2 FOR SHARE",
            &[
                to_datum(self.org_id).into(),
                answerable.map(to_datum).into(),
            ],
            |_| Ok(()),
        );
        update(
            "SELECT FROM auth.api_keys AS k WHERE k.org_id = $1 AND k.id = $2 FOR SHARE",
            &[
                to_datum(self.org_id).into(),
                self.api_key_id.map(to_datum).into(),
            ],
            |_| Ok(()),
        );
        update(
            "SELECT i.role, \
                    i.revoked_at IS NOT NULL, \
                    i.expires_at <= pg_catalog.clock_timestamp(), \
                    i.uses >= i.max_uses, \
                    i.email, \
                    EXISTS (SELECT FROM auth.invitation_uses AS u WHERE u.invitation_id = i.id AND u.user_id = $3) \
             FROM auth.invitations AS i \
             WHERE i.org_id = $1 AND i.id = $2 \
             FOR NO KEY UPDATE OF i",
            &[
                to_datum(self.org_id).into(),
                to_datum(self.id).into(),
                to_datum(user_id).into(),
            ],
            |rows| {
                if rows.is_empty() {
                    return Ok(None);
                }
                let row = rows.first();
                let role = match row.get::<String>(1)?.as_deref() {
                    Some("user") => Some(MemberRole::Member),
                    name => name.and_then(|name| name.parse().ok()),
                };
                Ok(Some(Presented {
                    role: role.unwrap_or(MemberRole::Viewer),
                    is_revoked: row.get(2)?.unwrap_or(true),
                    is_expired: row.get(3)?.unwrap_or(true),
                    is_used_up: row.get(4)?.unwrap_or(true),
                    email: row.get(5)?,
                    was_used_by_user: row.get(6)?.unwrap_or(true),
                    inviter: self.inviter(),
                    present_role: member_role(self.org_id, user_id),
                    verified_email,
                }))
            },
        )
    }

    /// Who invites, by what is committed now.
    fn inviter(&self) -> Inviter {
        if let Some(key_id) = self.api_key_id {
            return StoredKey::find_by_id(key_id)
                .and_then(|key| key.role(&key.known().scopes, time::stored_now()).ok())
                .map_or(Inviter::Gone, Inviter::Acting);
        }
        match self.created_by {
            None => Inviter::Service,
            Some(user_id) => {
                member_role(self.org_id, user_id).map_or(Inviter::Gone, Inviter::Acting)
            }
        }
    }

    fn admit(&self, user_id: Uuid, role: MemberRole) {
        let (org_id, id, user_id) = (to_datum(self.org_id), to_datum(self.id), to_datum(user_id));
        update(
            "UPDATE auth.invitations SET uses = uses + 1 WHERE org_id = $1 AND id = $2",
            &[org_id.into(), id.into()],
            |_| Ok(()),
        );
        update(
            "INSERT INTO auth.invitation_uses (org_id, invitation_id, user_id, role) VALUES ($1, $2, $3, $4)",
            &[
                org_id.into(),
                id.into(),
                user_id.into(),
                role.name().into(),
            ],
            |_| Ok(()),
        );
        update(
            "INSERT INTO tenancy.org_memberships (org_id, user_id, role) VALUES ($1, $2, $3)",
            &[org_id.into(), user_id.into(), role.name().into()],
            |_| Ok(()),
        );
    }
}

/// The user's address where it was verified; None in the outer option for a user who does not exist.
fn find_user(user_id: Uuid) -> Option<Option<String>> {
    update(
        "SELECT u.email, u.verified FROM auth.users AS u WHERE u.id = $1 FOR NO KEY UPDATE",
        &[to_datum(user_id).into()],
        |rows| {
            if rows.is_empty() {
                return Ok(None);
            }
            let row = rows.first();
            let is_verified = row.get::<bool>(2)?.unwrap_or(false);
            let email = row.get::<String>(1)?.filter(|_| is_verified);
            Ok(Some(email.and_then(|email| normalise(&email))))
        },
    )
}

#[pg_extern(schema = "auth", volatile, parallel_unsafe)]
fn revoke_invitation(invitation_id: Option<pgrx::Uuid>) -> bool {
    let org_id = if is_service() {
        None
    } else {
        Some(or_raise(context::require_permission(Permission::Manage)))
    };
    let revoked = as_owner(|| {
        update_one::<pgrx::Uuid>(
            "UPDATE auth.invitations AS i SET revoked_at = pg_catalog.now() \
             WHERE i.id = $1 AND i.revoked_at IS NULL AND ($2 IS NULL OR i.org_id = $2) \
             RETURNING i.org_id",
            &[invitation_id.into(), org_id.map(to_datum).into()],
        )
    });
    let Some(revoked_in) = revoked else {
        return false;
    };
    record_success(&outcome(
        "invitation.revoked",
        from_datum(revoked_in),
        settings::user_id(),
        invitation_id.map(from_datum),
        json!({}),
    ));
    true
}
