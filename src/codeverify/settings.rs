//! Settings of the extension itself. Those of the tenant's context are in `tenancy::settings`.

use std::ffi::CString;

use pgrx::{GucContext, GucFlags, GucRegistry, GucSetting, PostgresGucEnum};

/// What CREATE EXTENSION does about the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PostgresGucEnum)]
#[allow(non_camel_case_types)]
pub enum DeployMode {
    /// Make schemas, types, tables, policies and views.
    on,
    /// Make functions only; `codeverify.deploy()` makes the rest when called.
    off,
    /// Like off: a restore is about to make them.
    adopt,
}

static DEPLOY: GucSetting<DeployMode> = GucSetting::<DeployMode>::new(DeployMode::on);
static OWN_TRANSACTIONS: GucSetting<bool> = GucSetting::<bool>::new(true);
static FLUSH_INTERVAL: GucSetting<i32> = GucSetting::<i32>::new(2000);
static SARIF_MAX_SIZE: GucSetting<i32> = GucSetting::<i32>::new(64 * 1024);
static CLOCK: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(None);
static ENCRYPTION_KEY_FILE: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(None);

/// Largest SARIF log that `analysis.import_sarif` takes, in bytes.
pub fn sarif_max_bytes() -> usize {
    usize::try_from(SARIF_MAX_SIZE.get()).unwrap_or(0) * 1024
}

/// The file with the keys of secrets at rest.
pub fn encryption_key_file() -> Option<String> {
    text(&ENCRYPTION_KEY_FILE)
}

/// What codeverify.clock says, where it is set.
pub fn clock() -> Option<String> {
    text(&CLOCK)
}

/// The value of a setting; None for an empty one.
pub fn text(setting: &GucSetting<Option<CString>>) -> Option<String> {
    setting
        .get()
        .and_then(|value| value.into_string().ok())
        .filter(|value| !value.is_empty())
}

/// Whether what must outlive a rollback is kept apart from the caller's transaction.
pub fn own_transactions() -> bool {
    OWN_TRANSACTIONS.get()
}

/// How often what shared memory holds is written to the tables, in microseconds.
pub fn flush_interval() -> i64 {
    i64::from(FLUSH_INTERVAL.get()) * 1000
}

/// Registers the settings with the server.
pub fn define() {
    GucRegistry::define_enum_guc(
        c"codeverify.deploy",
        c"Whether CREATE EXTENSION codeverify also makes its tables.",
        c"on makes them; off leaves that to a later call of codeverify.deploy(); adopt is set while a dump is restored that brings them.",
        &DEPLOY,
        GucContext::Suset,
        GucFlags::default(),
    );
    GucRegistry::define_int_guc(
        c"codeverify.sarif_max_size",
        c"Largest SARIF log that analysis.import_sarif takes.",
        c"Measured on the text, or on the jsonb value as it is stored. A log that would take more than eight times this in memory is refused too.",
        &SARIF_MAX_SIZE,
        64,
        256 * 1024,
        GucContext::Suset,
        GucFlags::UNIT_KB,
    );
    GucRegistry::define_string_guc(
        c"codeverify.encryption_key_file",
        c"File with the keys that secrets in tables are encrypted under.",
        c"A line for each, as codeverify.create_encryption_key() makes it: the first encrypts, all decrypt. Keep it off the data volume. Empty means that no secret can be stored or read.",
        &ENCRYPTION_KEY_FILE,
        GucContext::Suset,
        GucFlags::SUPERUSER_ONLY,
    );
    GucRegistry::define_string_guc(
        c"codeverify.clock",
        c"What time it is for codeverify.maintain().",
        c"A time with its zone, for tests that simulate months. Empty on a server that is in use: partitions and retention follow the real clock.",
        &CLOCK,
        GucContext::Suset,
        GucFlags::default(),
    );
    GucRegistry::define_int_guc(
        c"codeverify.flush_interval",
        c"How often what shared memory holds is written to the tables.",
        c"Where the library is in shared_preload_libraries. A crash of the server loses what came after the last time.",
        &FLUSH_INTERVAL,
        100,
        60_000,
        GucContext::Sighup,
        GucFlags::UNIT_MS,
    );
    GucRegistry::define_bool_guc(
        c"codeverify.own_transactions",
        c"Whether failures are counted and recorded apart from the transactions that they happen in.",
        c"Off, a rollback forgets them: for tests that roll everything back. On a server that is in use, it lets whoever rolls back guess on.",
        &OWN_TRANSACTIONS,
        GucContext::Suset,
        GucFlags::default(),
    );
}
