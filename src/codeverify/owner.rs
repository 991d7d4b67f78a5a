//! Runs a piece of work with the rights of codeverify_owner.

use std::ffi::{c_int, CStr};

use pgrx::pg_sys;

/// The role that owns the data; it passes row security, so what runs as it filters by org_id itself.
pub const OWNER_ROLE: &CStr = c"codeverify_owner";

/// Runs `work` as codeverify_owner with `search_path` pinned, as a SECURITY DEFINER function would
/// (and the reading of string literals, on which the patterns in CHECK constraints depend),
/// and goes back to the caller's identity before it returns. Unlike in such a function, the caller
/// can set the tenant's context afterwards (a setting that is refused while an identity is borrowed).
///
/// If `work` ends in an error, the (sub)transaction that PostgreSQL aborts restores both.
pub fn as_owner<T>(work: impl FnOnce() -> T) -> T {
    let mut caller = pg_sys::InvalidOid;
    let mut security_context: c_int = 0;
    // SAFETY: plain calls into the backend from its one thread; the pointers are to live locals and
    // 'static strings.
    let nest_level = unsafe {
        let owner = pg_sys::get_role_oid(OWNER_ROLE.as_ptr(), false);
        pg_sys::GetUserIdAndSecContext(&mut caller, &mut security_context);
        pg_sys::SetUserIdAndSecContext(
            owner,
            security_context | pg_sys::SECURITY_LOCAL_USERID_CHANGE as c_int,
        );
        let nest_level = pg_sys::NewGUCNestLevel();
        set_for_now(c"search_path", c"pg_catalog, pg_temp");
        // Nearly always on already, and this runs at every authentication.
        if !pg_sys::standard_conforming_strings {
            set_for_now(c"standard_conforming_strings", c"on");
        }
        nest_level
    };
    let result = work();
    // SAFETY: undoes exactly what was done above.
    unsafe {
        pg_sys::AtEOXact_GUC(true, nest_level);
        pg_sys::SetUserIdAndSecContext(caller, security_context);
    }
    result
}

/// Sets a setting until the nest level that was opened last is closed.
///
/// # Safety
/// To be called on the backend's one thread, inside a level of `NewGUCNestLevel`.
pub unsafe fn set_for_now(name: &'static CStr, value: &'static CStr) {
    // SAFETY: both strings are 'static, and the server copies them.
    unsafe {
        pg_sys::set_config_option(
            name.as_ptr(),
            value.as_ptr(),
            pg_sys::GucContext::PGC_USERSET,
            pg_sys::GucSource::PGC_S_SESSION,
            pg_sys::GucAction::GUC_ACTION_SAVE,
            true,
            0,
            false,
        );
    }
}

/// Whether the current role has the privileges of `role` (superusers have all).
pub fn caller_has_role(role: &CStr) -> bool {
    // SAFETY: reads the current role.
    has_role(unsafe { pg_sys::GetUserId() }, role)
}

/// Whether a role has the privileges of another.
pub fn has_role(member: pg_sys::Oid, role: &CStr) -> bool {
    // SAFETY: catalog look-ups; a missing role gives InvalidOid.
    unsafe {
        let oid = pg_sys::get_role_oid(role.as_ptr(), true);
        oid != pg_sys::InvalidOid && pg_sys::has_privs_of_role(member, oid)
    }
}
