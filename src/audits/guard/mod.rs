//! What keeps the ledger's tables from being changed.
//!
//! Rows: a trigger function, `rows`, on every table whose rows are final. Definitions: event triggers,
//! `definitions`, that look at what a command has changed, and let pass what `harmless` lists.

mod definitions;
mod harmless;
mod rows;
pub mod sql;
