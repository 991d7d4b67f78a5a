//! Sessions: users who have logged in, on one device each.
//!
//! A row of auth.sessions is a session: a family of tokens, of which one pair is good at a time. The session token opens
//! transactions for some minutes; the refresh token is exchanged for the next pair.

pub mod create;
pub mod derivation;
pub mod revoke;

pub use create::{create, NewSession};
pub use revoke::{revoke_all, Reason};
