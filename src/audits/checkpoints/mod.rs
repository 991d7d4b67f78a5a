//! The order of all lanes: an RFC 6962 Merkle tree and signed C2SP checkpoints of it.

mod against;
mod checkpoint;
pub mod collect;
mod export;
mod growth;
mod key_file;
mod keys;
mod note;
mod proof;
pub mod sql;
pub mod store;
mod stream;
mod tile;
pub mod tree;
