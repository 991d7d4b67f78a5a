//! Parameters of alert rules.

mod schema;
mod sql;
