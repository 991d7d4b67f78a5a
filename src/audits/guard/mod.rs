//! What keeps the ledger's tables from being changed.

pub mod sql;
