//! The context's settings: `codeverify.org_id`, `codeverify.user_id`, `codeverify.member_role`.
//!
//! Plain roles cannot SET them (SUSET), and nobody can inside a SECURITY DEFINER function
//! (GUC_NOT_WHILE_SEC_REST). PostgreSQL parses nothing at query time: an assign hook keeps the
//! parsed values, which follow savepoints, transaction ends and parallel workers because settings do.

use std::cell::Cell;
use std::ffi::{c_char, c_void, CStr, CString};

use pgrx::{pg_sys, GucContext, GucFlags, GucRegistry, GucSetting};
use uuid::Uuid;

use super::permission::MemberRole;

pub const ORG_ID: &CStr = c"codeverify.org_id";
pub const USER_ID: &CStr = c"codeverify.user_id";
pub const MEMBER_ROLE: &CStr = c"codeverify.member_role";

static ORG_ID_TEXT: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(None);
static USER_ID_TEXT: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(None);
static MEMBER_ROLE_TEXT: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(None);

thread_local! {
    static ORG: Cell<Option<Uuid>> = const { Cell::new(None) };
    static USER: Cell<Option<Uuid>> = const { Cell::new(None) };
    static ROLE: Cell<Option<MemberRole>> = const { Cell::new(None) };
}

/// The organization in context.
pub fn org_id() -> Option<Uuid> {
    ORG.get()
}

/// The user in context; NULL for an API key or a service.
pub fn user_id() -> Option<Uuid> {
    USER.get()
}

/// What the context's user or key is inside its organization.
pub fn member_role() -> Option<MemberRole> {
    ROLE.get()
}

/// The value of a setting, None for one that is unset, empty or malformed.
///
/// # Safety
/// `value` is NULL or points to a NUL-terminated string.
unsafe fn parse<T: std::str::FromStr>(value: *const c_char) -> Option<T> {
    if value.is_null() {
        return None;
    }
    // SAFETY: as promised by the caller.
    unsafe { CStr::from_ptr(value) }.to_str().ok()?.parse().ok()
}

/// # Safety
/// Called by the server with a pointer to the new value.
unsafe extern "C-unwind" fn check<T: std::str::FromStr>(
    new_value: *mut *mut c_char,
    _extra: *mut *mut c_void,
    _source: pg_sys::GucSource::Type,
) -> bool {
    // SAFETY: the server passes a valid pointer to a value that is NULL or a C string.
    unsafe { (*new_value).is_null() || **new_value == 0 || parse::<T>(*new_value).is_some() }
}

unsafe extern "C-unwind" fn assign_org_id(value: *const c_char, _extra: *mut c_void) {
    // SAFETY: the server passes NULL or a C string that the check hook has passed.
    ORG.set(unsafe { parse(value) });
}

unsafe extern "C-unwind" fn assign_user_id(value: *const c_char, _extra: *mut c_void) {
    // SAFETY: as above.
    USER.set(unsafe { parse(value) });
}

unsafe extern "C-unwind" fn assign_member_role(value: *const c_char, _extra: *mut c_void) {
    // SAFETY: as above.
    ROLE.set(unsafe { parse(value) });
}

/// Registers the settings with the server.
pub fn define() {
    let flags = GucFlags::NOT_WHILE_SEC_REST | GucFlags::DISALLOW_IN_FILE;
    // SAFETY: the hooks have the signatures that the server calls them with and never panic.
    unsafe {
        GucRegistry::define_string_guc_with_hooks(
            ORG_ID,
            c"Organization that the current transaction acts for.",
            c"Set by auth.authenticate_session, auth.authenticate_api_key and tenancy.assume; empty means no organization and no rows.",
            &ORG_ID_TEXT,
            GucContext::Suset,
            flags,
            Some(check::<Uuid>),
            Some(assign_org_id),
            None,
        );
        GucRegistry::define_string_guc_with_hooks(
            USER_ID,
            c"User that the current transaction acts for.",
            c"Set by auth.authenticate_session and tenancy.assume; empty for an API key or a service.",
            &USER_ID_TEXT,
            GucContext::Suset,
            flags,
            Some(check::<Uuid>),
            Some(assign_user_id),
            None,
        );
        GucRegistry::define_string_guc_with_hooks(
            MEMBER_ROLE,
            c"Role inside the organization that the current transaction acts with.",
            c"One of owner, admin, member, developer, viewer; set together with codeverify.org_id.",
            &MEMBER_ROLE_TEXT,
            GucContext::Suset,
            flags,
            Some(check::<MemberRole>),
            Some(assign_member_role),
            None,
        );
    }
}
