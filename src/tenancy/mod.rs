//! Tenants: who acts for which organization, and what that allows.

pub mod context;
pub mod ownership;
pub mod permission;
pub mod role_bindings;
pub mod settings;
pub mod sql;
pub mod table_locks;
pub mod web_tokens;
