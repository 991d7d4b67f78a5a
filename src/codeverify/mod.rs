//! The extension itself: deployment, settings, errors.

pub mod deploy;
pub mod doctor;
pub mod encryption;
pub mod errors;
pub mod index_lookup;
pub mod interrupts;
pub mod jsonb;
pub mod key_file;
pub mod latest;
pub mod memory;
pub mod own_transaction;
pub mod owner;
pub mod progress;
pub mod query;
pub mod raise;
pub mod segment;
pub mod settings;
pub mod shared_memory;
pub mod snapshot;
pub mod sql;
pub mod subtransaction;
pub mod time;
pub mod told;
pub mod transaction;
pub mod worker;
