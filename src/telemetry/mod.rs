//! Events, attribution and metrics of code. The logic is in sql/telemetry/.

mod sql;
