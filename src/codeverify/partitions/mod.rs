//! Partition sets: what SQL cannot do about them.

mod bounds;
pub mod sql;
