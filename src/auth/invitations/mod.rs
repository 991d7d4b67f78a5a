//! Invitations: a code by which a user becomes a member of an organization, of their own accord.

pub mod acceptance;
pub mod sql;
