//! The bytes of an entry that its hash is made of; docs/ledger_format.md describes them for others.

mod entry;
mod jsonb;
mod numeric;
pub mod sql;
mod writer;

#[cfg(test)]
mod tests;

pub use entry::{parse_hash, unix_micros, Entry, Hash, GENESIS};
pub use writer::Malformed;
