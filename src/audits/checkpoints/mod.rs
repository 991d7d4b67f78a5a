//! The order of all lanes: an RFC 6962 Merkle tree and signed C2SP checkpoints of it.

pub mod sql;
