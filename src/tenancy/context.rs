//! Sets the context of a transaction, once.

use std::cell::Cell;
use std::ffi::{CStr, CString};

use pgrx::pg_sys;
use uuid::Uuid;

use super::permission::{MemberRole, Permission};
use super::settings;
use crate::codeverify::errors::Error;
use crate::codeverify::transaction;

/// Whom a transaction acts for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    pub org_id: Uuid,
    pub user_id: Option<Uuid>,
    pub role: MemberRole,
    /// The API key that acts, if one does. Two keys of one organization are two identities, for each has an end
    /// of its own.
    pub api_key_id: Option<Uuid>,
}

thread_local! {
    /// The first identity of the transaction: it outlives ROLLBACK TO SAVEPOINT and RESET ALL, because
    /// a cursor opened under it may too.
    static FIRST: Cell<Option<Identity>> = const { Cell::new(None) };
}

fn current() -> Option<Identity> {
    settings::org_id().map(|org_id| Identity {
        org_id,
        user_id: settings::user_id(),
        role: settings::member_role().unwrap_or(MemberRole::Viewer),
        api_key_id: settings::api_key_id(),
    })
}

/// Makes `identity` the context until the transaction ends. The same identity may be set again; a
/// different one is refused.
pub fn set(identity: Identity) -> Result<(), Error> {
    let taken = |earlier: Option<Identity>| earlier.is_some_and(|earlier| earlier != identity);
    if taken(FIRST.get()) || taken(current()) {
        return Err(Error::ContextConflict);
    }
    if FIRST.replace(Some(identity)).is_none() {
        transaction::at_end(|| FIRST.set(None));
    }
    // Setting costs more than asking, and most are as they should be: a key has no user, a user no key.
    if settings::org_id() != Some(identity.org_id) {
        set_for_transaction(settings::ORG_ID, &identity.org_id.to_string());
    }
    if settings::user_id() != identity.user_id {
        set_for_transaction(settings::USER_ID, &text_of(identity.user_id));
    }
    if settings::member_role() != Some(identity.role) {
        set_for_transaction(settings::MEMBER_ROLE, identity.role.name());
    }
    if settings::api_key_id() != identity.api_key_id {
        set_for_transaction(settings::API_KEY_ID, &text_of(identity.api_key_id));
    }
    Ok(())
}

fn text_of(id: Option<Uuid>) -> String {
    id.map(|id| id.to_string()).unwrap_or_default()
}

/// The organization in context, if the context's role has the permission there.
pub fn require_permission(permission: Permission) -> Result<Uuid, Error> {
    let org_id = settings::org_id().ok_or(Error::ContextMissing)?;
    if settings::member_role().is_some_and(|role| role.allows(permission)) {
        Ok(org_id)
    } else {
        Err(Error::RoleNotAllowed {
            permission: permission.name(),
        })
    }
}

fn set_for_transaction(name: &CStr, value: &str) {
    // UUIDs and role names hold no NUL byte; an empty value would clear the setting, which fails closed.
    let value = CString::new(value).unwrap_or_default();
    // SAFETY: both strings outlive the call, which copies them. The server itself refuses while an
    // identity is borrowed (GUC_NOT_WHILE_SEC_REST).
    unsafe {
        pg_sys::set_config_option(
            name.as_ptr(),
            value.as_ptr(),
            pg_sys::GucContext::PGC_SUSET,
            pg_sys::GucSource::PGC_S_SESSION,
            pg_sys::GucAction::GUC_ACTION_LOCAL,
            true,
            0,
            false,
        );
    }
}
