//! Settings of what slows down guessing.

use pgrx::{GucContext, GucFlags, GucRegistry, GucSetting};

use super::policy::Rule;
use super::subject::Kind;

static LOGIN_DELAY_MAX: GucSetting<i32> = GucSetting::<i32>::new(15 * 60);
static LOGIN_FAILURES_PER_IP_ADDRESS: GucSetting<i32> = GucSetting::<i32>::new(20);

/// How failures of such a subject are answered.
pub fn rule(kind: Kind) -> Rule {
    let longest = i64::from(LOGIN_DELAY_MAX.get()) * 1_000_000;
    match kind {
        Kind::Account => Rule::account(longest),
        Kind::IpAddress => Rule::ip_address(LOGIN_FAILURES_PER_IP_ADDRESS.get(), longest),
    }
}

/// Registers the settings with the server.
pub fn define() {
    GucRegistry::define_int_guc(
        c"codeverify.login_delay_max",
        c"Longest time that failed log-ins make the next one wait.",
        c"From the fifth failure in a row each makes an account wait for twice as long as the one before, starting at a second.",
        &LOGIN_DELAY_MAX,
        1,
        24 * 60 * 60,
        GucContext::Suset,
        GucFlags::UNIT_S,
    );
    GucRegistry::define_int_guc(
        c"codeverify.login_failures_per_ip_address",
        c"Failed log-ins from one IP address after which the next one has to wait.",
        c"Counted over all accounts, and over a network of 64 bits for IPv6; forgotten after an hour without any.",
        &LOGIN_FAILURES_PER_IP_ADDRESS,
        1,
        1_000_000,
        GucContext::Suset,
        GucFlags::default(),
    );
}
