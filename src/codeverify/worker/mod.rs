//! Writes behind: background processes that bring what shared memory holds into the tables.

pub mod step;
