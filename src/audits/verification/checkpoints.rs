//! Whether the Merkle tree and the checkpoints hold what the ledger holds.
