//! Settings of rate limits.

use pgrx::{GucContext, GucFlags, GucRegistry, GucSetting};

static KEYS: GucSetting<i32> = GucSetting::<i32>::new(16 * 1024);

/// API keys that shared memory has room for.
pub fn keys() -> usize {
    usize::try_from(KEYS.get()).unwrap_or(0)
}

/// Registers what only a start of the server can set. To be called while the server loads its libraries.
pub fn define() {
    GucRegistry::define_int_guc(
        c"codeverify.rate_limit_keys",
        c"API keys whose uses are counted in shared memory at the same time.",
        c"About 200 bytes each. A key that was not used for a while makes room for another; when all were used since the last flush, others are counted in tables.",
        &KEYS,
        128,
        4 * 1024 * 1024,
        GucContext::Postmaster,
        GucFlags::default(),
    );
}
