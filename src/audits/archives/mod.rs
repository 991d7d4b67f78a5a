//! Old partitions, packed so that they stay readable and verifiable.

pub mod sql;
