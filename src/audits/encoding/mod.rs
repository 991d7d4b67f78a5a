//! The bytes of an entry that its hash is made of; docs/ledger_format.md describes them for others.

mod entry;
mod jsonb;
mod numeric;
mod writer;

#[cfg(test)]
mod tests;

pub use entry::{hex, parse_hash, unix_micros, Entry, Hash, GENESIS};
pub use writer::Malformed;
