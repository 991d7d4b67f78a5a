//! API keys: programs that act for an organization.

pub mod outcome;
pub mod scopes;
pub mod sql;
pub mod stored;
