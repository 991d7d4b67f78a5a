//! Finds whatever was changed behind the ledger's back.

pub mod sql;
