//! The context's settings: `codeverify.org_id`, `codeverify.user_id`, `codeverify.member_role` and
//! `codeverify.api_key_id`; and `codeverify.bound_identity`, which says for whom a login acts that
//! tenancy.bind_role() has bound.
//!
//! Plain roles cannot SET them (SUSET), and nobody can inside a SECURITY DEFINER function
//! (GUC_NOT_WHILE_SEC_REST). PostgreSQL parses nothing at query time: an assign hook keeps the
//! parsed values, which follow savepoints, transaction ends and parallel workers because settings do.

use std::cell::Cell;
use std::ffi::{c_char, c_void, CStr, CString};

use pgrx::{pg_sys, GucContext, GucFlags, GucRegistry, GucSetting};
use uuid::Uuid;

use super::permission::MemberRole;
use super::role_bindings::binding::Binding;
use super::role_bindings::standing;

pub const ORG_ID: &CStr = c"codeverify.org_id";
pub const USER_ID: &CStr = c"codeverify.user_id";
pub const MEMBER_ROLE: &CStr = c"codeverify.member_role";
pub const API_KEY_ID: &CStr = c"codeverify.api_key_id";
const BOUND_IDENTITY: &CStr = c"codeverify.bound_identity";

static ORG_ID_TEXT: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(None);
static USER_ID_TEXT: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(None);
static MEMBER_ROLE_TEXT: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(None);
static API_KEY_ID_TEXT: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(None);
static BOUND_IDENTITY_TEXT: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(None);

thread_local! {
    static ORG: Cell<Option<Uuid>> = const { Cell::new(None) };
    static USER: Cell<Option<Uuid>> = const { Cell::new(None) };
    static ROLE: Cell<Option<MemberRole>> = const { Cell::new(None) };
    static API_KEY: Cell<Option<Uuid>> = const { Cell::new(None) };
    static BOUND: Cell<Option<Binding>> = const { Cell::new(None) };
    /// While the settings are being defined, what sessions did to placeholders of their names is judged.
    static IS_LOADING: Cell<bool> = const { Cell::new(false) };
}

/// The organization in context.
pub fn org_id() -> Option<Uuid> {
    ORG.get().or_else(|| bound().map(|binding| binding.org_id))
}

/// The user in context; NULL for an API key or a service.
pub fn user_id() -> Option<Uuid> {
    USER.get().or_else(|| bound()?.user_id)
}

/// What the context's user or key is inside its organization.
pub fn member_role() -> Option<MemberRole> {
    ROLE.get().or_else(|| bound().map(|binding| binding.role))
}

/// What the login is bound to, as far as it still holds. The context that a transaction has taken is whole:
/// nothing is added to it from here.
fn bound() -> Option<Binding> {
    let binding = BOUND.get()?;
    let has_context = ORG.get().is_some()
        || USER.get().is_some()
        || ROLE.get().is_some()
        || API_KEY.get().is_some();
    if has_context {
        None
    } else {
        standing::narrow(binding)
    }
}

/// The API key in context; NULL for a user or a service.
pub fn api_key_id() -> Option<Uuid> {
    API_KEY.get()
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
    source: pg_sys::GucSource::Type,
) -> bool {
    // A careless function of a superuser may have set a placeholder, which knows no GUC_NOT_WHILE_SEC_REST.
    let is_trusted = !IS_LOADING.get() || source < pg_sys::GucSource::PGC_S_INTERACTIVE;
    // SAFETY: the server passes a valid pointer to a value that is NULL or a C string.
    unsafe {
        (*new_value).is_null() || **new_value == 0 || is_trusted && parse::<T>(*new_value).is_some()
    }
}

/// Takes a binding from nowhere but ALTER ROLE … IN DATABASE … SET, whatever the rights of who sets it: so it needs
/// no GUC_NOT_WHILE_SEC_REST, which would lose it where a SECURITY DEFINER function happens to load the library.
///
/// # Safety
/// Called by the server with a pointer to the new value.
unsafe extern "C-unwind" fn check_bound_identity(
    new_value: *mut *mut c_char,
    _extra: *mut *mut c_void,
    source: pg_sys::GucSource::Type,
) -> bool {
    use pg_sys::GucSource::{PGC_S_DATABASE_USER, PGC_S_DEFAULT, PGC_S_TEST};
    // SAFETY: the server passes a valid pointer to a value that is NULL or a C string.
    let (is_empty, is_binding) = unsafe {
        (
            (*new_value).is_null() || **new_value == 0,
            parse::<Binding>(*new_value).is_some(),
        )
    };
    match source {
        PGC_S_DEFAULT => is_empty,
        // What ALTER ROLE is about to write, and what a login brings with it.
        PGC_S_TEST | PGC_S_DATABASE_USER => is_empty || is_binding,
        _ => false,
    }
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

unsafe extern "C-unwind" fn assign_api_key_id(value: *const c_char, _extra: *mut c_void) {
    // SAFETY: as above.
    API_KEY.set(unsafe { parse(value) });
}

unsafe extern "C-unwind" fn assign_bound_identity(value: *const c_char, _extra: *mut c_void) {
    // SAFETY: as above.
    BOUND.set(unsafe { parse(value) });
}

/// Registers the settings with the server.
pub fn define() {
    IS_LOADING.set(true);
    define_all();
    IS_LOADING.set(false);
}

fn define_all() {
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
        GucRegistry::define_string_guc_with_hooks(
            API_KEY_ID,
            c"API key that the current transaction acts with.",
            c"Set by auth.authenticate_api_key; empty for a user or a service.",
            &API_KEY_ID_TEXT,
            GucContext::Suset,
            flags,
            Some(check::<Uuid>),
            Some(assign_api_key_id),
            None,
        );
        GucRegistry::define_string_guc_with_hooks(
            BOUND_IDENTITY,
            c"Whom a login acts for that tenancy.bind_role() has bound.",
            c"The organization, the role in it and the user if there is one, with slashes between them. Only ALTER ROLE ... IN DATABASE ... SET gives it a value.",
            &BOUND_IDENTITY_TEXT,
            GucContext::Suset,
            GucFlags::DISALLOW_IN_FILE,
            Some(check_bound_identity),
            Some(assign_bound_identity),
            None,
        );
    }
}
