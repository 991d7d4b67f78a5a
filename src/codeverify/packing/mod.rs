//! Rows of closed partitions in compressed segments.
//!
//! `block`, `summary`, `words` and `terms` are pure; `datum` goes between them and the server's values, `writing`
//! makes segments of a table's rows, `emptying` takes those away, `stored` reads a segment, `rows` gives its rows to SQL, and `logs` searches those of
//! observability.logs.

mod block;
mod datum;
mod emptying;
mod logs;
mod rows;
pub mod sql;
mod stored;
mod summary;
mod terms;
mod words;
mod writing;
