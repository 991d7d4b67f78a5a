//! observability.search_logs(): which partitions are read, in which order, and how.

mod find;
mod partitions;
mod plans;
mod sql;
mod statements;
mod windows;
