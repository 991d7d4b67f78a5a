//! Runs a piece of work with the rights of codeverify_owner.

use std::ffi::{c_int, CStr};

use pgrx::pg_sys;

use super::errors::Error;
use crate::audits::authority::not_acting;

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

/// Settings that would change what a statement means or where it puts a table: the caller's do not hold while it
/// runs as a table's owner.
const SETTINGS_OF_OWNERS: [(&CStr, &CStr); 7] = [
    (c"search_path", c"pg_catalog, pg_temp"),
    (c"standard_conforming_strings", c"on"),
    (c"quote_all_identifiers", c"off"),
    (c"timezone", c"UTC"),
    (c"datestyle", c"ISO"),
    (c"default_tablespace", c""),
    (c"default_table_access_method", c"heap"),
];

/// Runs `work` as the owner of a table, in a restricted operation, as VACUUM runs index expressions: what the owner
/// has put there to be run (triggers, defaults, index expressions) has the owner's rights, cannot become anybody
/// else, leaves nothing behind in the session, and is not taken for work of the extension.
///
/// If `work` ends in an error, the (sub)transaction that PostgreSQL aborts restores all.
pub fn as_owner_of<T>(table: pg_sys::Oid, work: impl FnOnce() -> T) -> Result<T, Error> {
    Ok(as_role(owner_for(table)?, work))
}

/// The same for a role that `owner_for` has found.
pub fn as_role<T>(role: pg_sys::Oid, work: impl FnOnce() -> T) -> T {
    let mut caller = pg_sys::InvalidOid;
    let mut security_context: c_int = 0;
    // SAFETY: as in as_owner().
    let nest_level = unsafe {
        pg_sys::GetUserIdAndSecContext(&mut caller, &mut security_context);
        pg_sys::SetUserIdAndSecContext(
            role,
            security_context
                | pg_sys::SECURITY_LOCAL_USERID_CHANGE as c_int
                | pg_sys::SECURITY_RESTRICTED_OPERATION as c_int,
        );
        let nest_level = pg_sys::NewGUCNestLevel();
        for (name, value) in SETTINGS_OF_OWNERS {
            set_for_now(name, value);
        }
        nest_level
    };
    let result = not_acting(work);
    // SAFETY: undoes exactly what was done above.
    unsafe {
        pg_sys::AtEOXact_GUC(true, nest_level);
        pg_sys::SetUserIdAndSecContext(caller, security_context);
    }
    result
}

/// Who owns a table, if the current role may have things done as them: codeverify_owner for itself and for those
/// whose member it is, other roles too for those that they are members of. A superuser's table only a superuser
/// has worked on, since what stands in it would run with all rights.
pub fn owner_for(table: pg_sys::Oid) -> Result<pg_sys::Oid, Error> {
    // SAFETY: catalog look-ups; names are palloc'd C strings.
    unsafe {
        let caller = pg_sys::GetUserId();
        let us = pg_sys::get_role_oid(OWNER_ROLE.as_ptr(), false);
        let owner = owner_of(table);
        let superuser = pg_sys::superuser_arg(owner);
        let may = |member| pg_sys::is_member_of_role_nosuper(member, owner);
        if owner == us || pg_sys::superuser_arg(caller) || !superuser && (may(us) || may(caller)) {
            return Ok(owner);
        }
        let name = |text: *mut std::ffi::c_char| {
            if text.is_null() {
                String::new()
            } else {
                CStr::from_ptr(text).to_string_lossy().into_owned()
            }
        };
        Err(Error::NotForItsOwner {
            table: name(pg_sys::get_rel_name(table)),
            owner: name(pg_sys::GetUserNameFromId(owner, true)),
            superuser,
        })
    }
}

/// Who owns a table; InvalidOid for one that is gone.
///
/// # Safety
/// To be called in a transaction.
pub unsafe fn owner_of(table: pg_sys::Oid) -> pg_sys::Oid {
    // SAFETY: a catalog look-up; the tuple is read before it is released.
    unsafe {
        let tuple = pg_sys::SearchSysCache1(
            pg_sys::SysCacheIdentifier::RELOID as c_int,
            pg_sys::Datum::from(table),
        );
        if tuple.is_null() {
            return pg_sys::InvalidOid;
        }
        let owner = (*pg_sys::GETSTRUCT(tuple).cast::<pg_sys::FormData_pg_class>()).relowner;
        pg_sys::ReleaseSysCache(tuple);
        owner
    }
}

/// Sets a setting until the nest level that was opened last is closed.
///
/// # Safety
/// To be called on the backend's one thread, inside a level of `NewGUCNestLevel`.
pub unsafe fn set_for_now(name: &'static CStr, value: &'static CStr) {
    // SAFETY: as promised by the caller.
    unsafe { set_as(pg_sys::GucContext::PGC_USERSET, name, value) };
}

/// Does `work` without warnings, to the client or into the server's log.
pub fn without_warnings<T>(work: impl FnOnce() -> T) -> T {
    // SAFETY: settings of this process that the level ends with, or the (sub)transaction after an error.
    unsafe {
        let nest_level = pg_sys::NewGUCNestLevel();
        for name in [c"client_min_messages", c"log_min_messages"] {
            set_as(pg_sys::GucContext::PGC_SUSET, name, c"error");
        }
        let result = work();
        pg_sys::AtEOXact_GUC(true, nest_level);
        result
    }
}

/// # Safety
/// As for `set_for_now`.
unsafe fn set_as(context: pg_sys::GucContext::Type, name: &'static CStr, value: &'static CStr) {
    // SAFETY: both strings are 'static, and the server copies them.
    unsafe {
        pg_sys::set_config_option(
            name.as_ptr(),
            value.as_ptr(),
            context,
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
