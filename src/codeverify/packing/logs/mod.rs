//! The packed lines of observability.logs: `tokens` says what a segment is searched by, `lines` which lines are wanted,
//! `candidates` goes through the segments that may have them, and `scan` and `count` are what SQL calls.

use pgrx::pg_sys;

use crate::codeverify::query::select_one;

mod arguments;
mod candidates;
mod count;
mod lines;
mod scan;
mod tokens;

pub use tokens::words_of;

/// Rows between two looks for a cancellation.
const BATCH: usize = 256;

pub fn is_logs(relation: pg_sys::Oid) -> bool {
    select_one::<pg_sys::Oid>("SELECT to_regclass('observability.logs')::oid", &[])
        == Some(relation)
}
