//! The order of all lanes: an RFC 6962 Merkle tree and signed C2SP checkpoints of it.

mod against;
mod checkpoint;
mod collect;
mod export;
mod growth;
pub mod key_file;
mod keys;
mod note;
mod proof;
pub mod sql;
mod store;
mod stream;
mod tile;
mod tree;
