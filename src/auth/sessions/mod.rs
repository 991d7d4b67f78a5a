//! Sessions: users who have logged in, on one device each.
//!
//! A row of auth.sessions is a session: a family of tokens, of which one pair is good at a time. The session token opens
//! transactions for some minutes; the refresh token is exchanged for the next pair.

mod authenticate;
mod create;
mod current;
mod derivation;
mod find;
mod logout;
mod refresh;
mod revoke;
mod rotation;
mod sql;

pub use create::{create, NewSession};
pub use current::current;
pub use revoke::{revoke_all, Reason};
