//! Logs: what SQL cannot do.

mod log_time;
mod sql;
