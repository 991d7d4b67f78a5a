//! Functions of schema telemetry that need Rust; their comments are in sql/telemetry/functions.sql.

use pgrx::prelude::*;

use crate::audits::authority::{is_acting, Deed};

extension_sql_file!(
    "../../sql/telemetry/functions.sql",
    name = "telemetry_functions",
    requires = [is_maintained]
);
extension_sql_file!(
    "../../sql/telemetry/attribution.sql",
    name = "telemetry_attribution",
    requires = ["telemetry_functions"]
);
extension_sql_file!(
    "../../sql/telemetry/metrics.sql",
    name = "telemetry_metrics",
    requires = ["codeverify_metrics", "telemetry_functions"]
);

#[pg_extern(schema = "telemetry", volatile, parallel_unsafe)]
fn is_maintained() -> bool {
    // Maintenance acts for a table's owner in a restricted operation, which no statement of a client is.
    // SAFETY: reads a flag of this process.
    is_acting(Deed::Maintenance) || unsafe { pg_sys::InSecurityRestrictedOperation() }
}
