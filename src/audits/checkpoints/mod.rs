//! The order of all lanes: an RFC 6962 Merkle tree and signed C2SP checkpoints of it.

mod against;
pub mod checkpoint;
pub mod collect;
mod export;
pub mod growth;
pub mod key_file;
mod keys;
pub mod note;
mod proof;
pub mod sql;
pub mod store;
mod stream;
pub mod tile;
pub mod tree;
