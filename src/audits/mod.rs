//! The audit ledger: hash chains in lanes, an order for all of them in a Merkle tree, capture of
//! changes, verification, archives.

pub mod archives;
pub mod authority;
pub mod capture;
pub mod chain;
pub mod checkpoints;
pub mod encoding;
pub mod erasure;
pub mod guard;
pub mod settings;
pub mod verification;
