//! Settings of the background worker that maintains databases.

use std::ffi::CString;

use pgrx::{GucContext, GucFlags, GucRegistry, GucSetting};

use crate::codeverify::settings::text;

static INTERVAL: GucSetting<i32> = GucSetting::<i32>::new(0);
static DATABASES: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(None);

/// How often databases are maintained, in microseconds; 0 for never.
pub fn interval() -> i64 {
    i64::from(INTERVAL.get()) * 1_000_000
}

/// Which ones, as a list.
pub fn databases() -> Option<String> {
    text(&DATABASES)
}

/// Registers the settings with the server.
pub fn define() {
    GucRegistry::define_int_guc(
        c"codeverify.maintenance_interval",
        c"How often a background worker runs codeverify.maintain().",
        c"In the databases of codeverify.maintenance_databases, where the library is in shared_preload_libraries. 0 is never.",
        &INTERVAL,
        0,
        7 * 24 * 3600,
        GucContext::Sighup,
        GucFlags::UNIT_S,
    );
    GucRegistry::define_string_guc(
        c"codeverify.maintenance_databases",
        c"Databases that the background worker maintains.",
        c"Names with commas between; those with capital letters in double quotes. At most 64.",
        &DATABASES,
        GucContext::Sighup,
        GucFlags::default(),
    );
}
