//! Settings of the extension itself. Those of the tenant's context are in `tenancy::settings`.

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
static SARIF_MAX_SIZE: GucSetting<i32> = GucSetting::<i32>::new(64 * 1024);

/// Largest SARIF log that `analysis.import_sarif` takes, in bytes.
pub fn sarif_max_bytes() -> usize {
    usize::try_from(SARIF_MAX_SIZE.get()).unwrap_or(0) * 1024
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
}
