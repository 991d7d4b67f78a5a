//! Settings of password resets.

use pgrx::{GucContext, GucFlags, GucRegistry, GucSetting};

static LIFETIME: GucSetting<i32> = GucSetting::<i32>::new(60);

/// How long a token can be returned, in minutes.
pub fn lifetime() -> i32 {
    LIFETIME.get()
}

/// Registers the settings with the server.
pub fn define() {
    GucRegistry::define_int_guc(
        c"codeverify.password_reset_lifetime",
        c"Time for which the token of a password reset can be used.",
        c"Counted from the request.",
        &LIFETIME,
        1,
        7 * 24 * 60,
        GucContext::Suset,
        GucFlags::UNIT_MIN,
    );
}
