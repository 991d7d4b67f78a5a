//! The extension itself: deployment, settings, errors.

pub mod deploy;
pub mod doctor;
pub mod errors;
pub mod index_lookup;
pub mod interrupts;
pub mod jsonb;
pub mod memory;
pub mod owner;
pub mod progress;
pub mod query;
pub mod raise;
pub mod segment;
pub mod settings;
pub mod snapshot;
pub mod sql;
