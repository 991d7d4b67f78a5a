//! Puts new entries into the ledger: lanes, heads, hashes.

mod columns;
pub mod held;
mod landing;
mod lane;
mod ledger;
mod probe;
pub mod record;
mod references;
pub mod sql;
mod time;
mod trigger;
