//! Rate limits of API keys, and what their uses leave behind.
//!
//! Uses are counted by UTC minute. Where the library is preloaded, in shared memory ([`memory`]), which a writer
//! brings into auth.api_key_rate_buckets ([`flush`]); else in leases that a session takes from that table in
//! transactions of their own ([`leases`]). Either way a count outlives a rollback.

mod deletion;
pub mod flush;
mod leases;
mod limit;
pub mod memory;
mod minute;
pub mod saved;
pub mod settings;
pub mod sql;
mod stored;
pub mod uses;
