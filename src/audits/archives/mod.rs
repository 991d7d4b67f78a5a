//! Old partitions, packed so that they stay readable and verifiable.
//!
//! `entry` is pure; `packing` makes an archive, `reading` goes through the entries of all of them,
//! `verification` looks for what was changed in them.

pub mod cursor;
pub mod datum;
pub mod entry;
pub mod leaves;
mod packing;
mod payload;
mod pruning;
pub mod reading;
pub mod sql;
pub mod stored;
pub mod verification;

/// Microseconds since 1970 as those since 2000, which PostgreSQL counts.
fn postgres_micros(unix_micros: i64) -> i64 {
    unix_micros.wrapping_sub(crate::audits::encoding::unix_micros(0))
}
