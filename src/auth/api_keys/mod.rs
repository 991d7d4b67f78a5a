//! API keys: programs that act for an organization.

mod known;
pub mod outcome;
pub mod scopes;
pub mod sql;
pub mod stored;
