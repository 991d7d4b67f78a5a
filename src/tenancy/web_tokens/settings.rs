//! Settings of web tokens.

use pgrx::{GucContext, GucFlags, GucRegistry, GucSetting};

static LEEWAY: GucSetting<i32> = GucSetting::<i32>::new(60);

/// How far an issuer's clock may be from the server's, in seconds.
pub fn leeway() -> f64 {
    f64::from(LEEWAY.get())
}

/// Registers the settings with the server.
pub fn define() {
    GucRegistry::define_int_guc(
        c"codeverify.web_token_leeway",
        c"How far the clock of an issuer of web tokens may be from the server's.",
        c"A token is taken this long after its exp, and this long before its nbf and iat.",
        &LEEWAY,
        0,
        600,
        GucContext::Suset,
        GucFlags::UNIT_S,
    );
}
