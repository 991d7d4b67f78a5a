//! Entries about every change to a tracked table.

pub mod sql;
