//! Logins that act for one identity from the moment they connect: a role for each tenant.
//!
//! `binding` is what a setting of the role says, pure; `standing` asks once in each transaction whether it still
//! holds. The functions that bind are SQL: sql/tenancy/role_bindings.sql.

pub mod binding;
pub mod standing;
