//! Schema observability: logs, alerts and incidents.

pub mod alerts;
mod log_intake;
mod log_search;
mod log_time;
mod sql;
