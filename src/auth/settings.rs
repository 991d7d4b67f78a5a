//! Settings of who gets in.

use pgrx::{GucContext, GucFlags, GucRegistry, GucSetting};

static SESSION_IDLE_TIMEOUT: GucSetting<i32> = GucSetting::<i32>::new(60);
static SESSION_ABSOLUTE_TIMEOUT: GucSetting<i32> = GucSetting::<i32>::new(30 * 24 * 60);

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
        c"codeverify.session_idle_timeout",
        c"Time after which a session that is not used ends.",
        c"Its use, or the exchange of its refresh token, begins the time anew.",
        &SESSION_IDLE_TIMEOUT,
        1,
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
}
