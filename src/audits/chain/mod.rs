//! Puts new entries into the ledger: lanes, heads, hashes.

pub mod sql;
