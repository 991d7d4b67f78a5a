//! Entries about every change to a tracked table: statement triggers whose function reads the transition
//! tables and writes what changed into the ledger, without secrets.

pub mod arguments;
pub mod digest;
pub mod entries;
pub mod json;
pub mod jsonb;
pub mod pattern;
pub mod plan;
pub mod rules;
pub mod sql;
pub mod trigger;
pub mod values;
