//! Settings of the second factor.

use std::ffi::CString;

use pgrx::{GucContext, GucFlags, GucRegistry, GucSetting};

use crate::codeverify::settings::text;

static TOTP_ISSUER: GucSetting<Option<CString>> =
    GucSetting::<Option<CString>>::new(Some(c"codeverify"));

/// What authenticator apps call the platform.
pub fn totp_issuer() -> Option<String> {
    text(&TOTP_ISSUER)
}

/// Registers the settings with the server.
pub fn define() {
    GucRegistry::define_string_guc(
        c"codeverify.totp_issuer",
        c"Name of the platform in authenticator apps.",
        c"Apps show it beside the user's address. A colon in it becomes an underscore.",
        &TOTP_ISSUER,
        GucContext::Suset,
        GucFlags::default(),
    );
}
