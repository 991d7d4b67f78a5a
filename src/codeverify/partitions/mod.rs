//! Partition sets: what SQL cannot do about them. `period` is pure; the others are glue.

pub mod bounds;
mod making;
mod period;
mod rows;
pub mod sql;
