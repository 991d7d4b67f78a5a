//! codeverify: the complete back end of a code-verification platform inside PostgreSQL.
//!
//! One domain is one schema, one folder below `sql/` and, where it needs Rust, one module here.
//! Modules named `sql` are the thin glue that PostgreSQL calls; everything beside them is pure
//! logic that imports no pgrx and is tested with plain `#[test]`.

mod analysis;
mod audits;
mod auth;
mod codeverify;
mod integrations;
mod observability;
mod schemas;
mod telemetry;
mod tenancy;

pgrx::pg_module_magic!(name, version);

pgrx::extension_sql_file!(
    "../sql/codeverify/bootstrap.sql",
    name = "bootstrap",
    bootstrap
);
pgrx::extension_sql_file!("../sql/codeverify/clock.sql", name = "codeverify_clock");
pgrx::extension_sql_file!("../sql/codeverify/reports.sql", name = "codeverify_reports");
pgrx::extension_sql_file!("../sql/codeverify/metrics.sql", name = "codeverify_metrics");
pgrx::extension_sql_file!(
    "../sql/codeverify/clean_up.sql",
    name = "codeverify_clean_up"
);
pgrx::extension_sql_file!(
    "../sql/codeverify/monitoring.sql",
    name = "codeverify_monitoring"
);
pgrx::extension_sql_file!(
    "../sql/codeverify/maintenance_status.sql",
    name = "codeverify_maintenance_status",
    requires = ["codeverify_clock", "codeverify_partition_sets"]
);
pgrx::extension_sql_file!(
    "../sql/tenancy/deleted_organizations.sql",
    name = "tenancy_deleted_organizations"
);
pgrx::extension_sql_file!("../sql/audits/upkeep.sql", name = "audits_upkeep");
pgrx::extension_sql_file!(
    "../sql/codeverify/retention.sql",
    name = "codeverify_retention",
    requires = ["codeverify_clock", "codeverify_partition_sets"]
);
pgrx::extension_sql_file!(
    "../sql/codeverify/retirement.sql",
    name = "codeverify_retirement",
    requires = ["codeverify_retention"]
);
pgrx::extension_sql_file!(
    "../sql/telemetry/code_events.sql",
    name = "telemetry_code_events"
);
pgrx::extension_sql_file!("../sql/analysis/pending.sql", name = "analysis_pending");
pgrx::extension_sql_file!(
    "../sql/integrations/inbound_events.sql",
    name = "integrations_inbound_events"
);
pgrx::extension_sql_file!(
    "../sql/observability/functions.sql",
    name = "observability_functions"
);
pgrx::extension_sql_file!(
    "../sql/observability/incidents.sql",
    name = "observability_incidents"
);
pgrx::extension_sql_file!(
    "../sql/observability/packed_logs.sql",
    name = "observability_packed_logs",
    requires = ["tenancy_functions"]
);
pgrx::extension_sql_file!(
    "../sql/providers/packed_usage.sql",
    name = "providers_packed_usage",
    requires = ["tenancy_functions"]
);
pgrx::extension_sql_file!(
    "../sql/observability/log_volume.sql",
    name = "observability_log_volume"
);
pgrx::extension_sql_file!("../sql/audits/reading.sql", name = "audits_reading");
pgrx::extension_sql_file!("../sql/auth/departures.sql", name = "auth_departures");
pgrx::extension_sql_file!(
    "../sql/tenancy/role_bindings.sql",
    name = "tenancy_role_bindings"
);
pgrx::extension_sql_file!(
    "../sql/providers/usage.sql",
    name = "providers_usage",
    requires = ["codeverify_metrics"]
);
pgrx::extension_sql_file!(
    "../sql/codeverify/finalize.sql",
    name = "finalize",
    finalize
);

/// Runs once in each process that loads the library, before any of its functions.
#[pgrx::pg_guard]
pub extern "C-unwind" fn _PG_init() {
    // Where RUST_BACKTRACE is set, pgrx would send the server's stack to the client as DETAIL.
    if std::env::var_os("RUST_LIB_BACKTRACE").is_none() {
        std::env::set_var("RUST_LIB_BACKTRACE", "0");
    }
    // SAFETY: a flag of this process that the server has set by now.
    let preloading = unsafe { pgrx::pg_sys::process_shared_preload_libraries_in_progress };
    codeverify::doctor::preload::note(preloading);
    codeverify::reading::install();
    codeverify::settings::define();
    codeverify::maintenance::settings::define();
    tenancy::settings::define();
    tenancy::web_tokens::settings::define();
    tenancy::table_locks::install();
    audits::settings::define();
    auth::settings::define();
    auth::password_resets::settings::define();
    auth::totp::settings::define();
    if preloading {
        auth::rate_limits::settings::define();
        codeverify::shared_memory::reserve();
        codeverify::worker::launcher::register();
    }
}
