//! Puts new entries into the ledger: lanes, heads, hashes.

mod columns;
pub mod held;
mod landing;
mod lane;
pub mod ledger;
pub mod record;
mod references;
pub mod sql;
mod time;
mod trigger;
