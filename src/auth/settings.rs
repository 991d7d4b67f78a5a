//! Settings of who gets in.

use pgrx::{GucContext, GucFlags, GucRegistry, GucSetting};

static SESSION_TOKEN_LIFETIME: GucSetting<i32> = GucSetting::<i32>::new(15);
static SESSION_IDLE_TIMEOUT: GucSetting<i32> = GucSetting::<i32>::new(14 * 24 * 60);
static SESSION_ABSOLUTE_TIMEOUT: GucSetting<i32> = GucSetting::<i32>::new(90 * 24 * 60);
static EMAIL_VERIFICATION_LIFETIME: GucSetting<i32> = GucSetting::<i32>::new(24 * 60);

/// How long a token that was mailed to an address can be returned, in minutes.
pub fn email_verification_lifetime() -> i32 {
    EMAIL_VERIFICATION_LIFETIME.get()
}

/// How long a session token opens transactions before it takes a refresh, in minutes.
pub fn session_token_lifetime() -> i32 {
    SESSION_TOKEN_LIFETIME.get()
}

/// How long a session lives without being used, in minutes.
pub fn session_idle_timeout() -> i32 {
    SESSION_IDLE_TIMEOUT.get()
}

/// How long a session lives at most, in minutes.
pub fn session_absolute_timeout() -> i32 {
    SESSION_ABSOLUTE_TIMEOUT.get()
}

/// Registers the settings with the server.
pub fn define() {
    super::passwords::settings::define();
    GucRegistry::define_int_guc(
        c"codeverify.email_verification_lifetime",
        c"Time for which the token that is mailed to a new address can be returned.",
        c"After it, ask for another with auth.request_email_verification().",
        &EMAIL_VERIFICATION_LIFETIME,
        1,
        30 * 24 * 60,
        GucContext::Suset,
        GucFlags::UNIT_MIN,
    );
    GucRegistry::define_int_guc(
        c"codeverify.session_token_lifetime",
        c"Time for which a session token opens transactions.",
        c"After it the refresh token is exchanged for the next pair. Whoever copies a session token has it for this long.",
        &SESSION_TOKEN_LIFETIME,
        1,
        30 * 24 * 60,
        GucContext::Suset,
        GucFlags::UNIT_MIN,
    );
    GucRegistry::define_int_guc(
        c"codeverify.session_idle_timeout",
        c"Time after which a session that is not used ends.",
        c"Its use, noted once a minute, and the exchange of its refresh token begin the time anew.",
        &SESSION_IDLE_TIMEOUT,
        5,
        365 * 24 * 60,
        GucContext::Suset,
        GucFlags::UNIT_MIN,
    );
    GucRegistry::define_int_guc(
        c"codeverify.session_absolute_timeout",
        c"Time after which a session ends however much it is used.",
        c"Counted from the log-in.",
        &SESSION_ABSOLUTE_TIMEOUT,
        1,
        10 * 365 * 24 * 60,
        GucContext::Suset,
        GucFlags::UNIT_MIN,
    );
    super::lockout::settings::define();
}
