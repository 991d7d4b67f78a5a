//! Whether a key may be used: by memory, where there is any, or by leases.

use pgrx::pg_sys;
use uuid::Uuid;

use super::leases;
use super::memory;
use super::minute::{minute_of, Answer, Request};
use crate::auth::caller::is_service;
use crate::codeverify::shared_memory;
use crate::tenancy::settings;

/// Whose keys a caller may count uses of.
#[derive(Clone, Copy)]
pub enum Scope {
    /// The trusted back end, which acts for nobody yet.
    All,
    Organization(Uuid),
    /// A caller who has not authenticated.
    None,
}

impl Scope {
    fn of_caller() -> Scope {
        match settings::org_id() {
            Some(org_id) => Scope::Organization(org_id),
            None if is_service() => Scope::All,
            None => Scope::None,
        }
    }

    pub fn covers(self, org_id: Uuid) -> bool {
        match self {
            Scope::All => true,
            Scope::Organization(own) => own == org_id,
            Scope::None => false,
        }
    }
}

/// Counts uses of a key, if they may be made. A key that is unknown, or another organization's, may not be used;
/// nothing is kept of it.
pub fn check(api_key_id: Uuid, request: Request) -> Answer {
    // SAFETY: reads the clock.
    let minute = minute_of(unsafe { pg_sys::GetCurrentTimestamp() });
    let scope = Scope::of_caller();
    if let Scope::None = scope {
        return Answer::refused(0, minute);
    }
    if shared_memory::is_available() {
        if let Some(answer) = memory::charge(api_key_id, minute, request, scope) {
            return answer;
        }
    }
    leases::charge(api_key_id, minute, request, scope)
}
