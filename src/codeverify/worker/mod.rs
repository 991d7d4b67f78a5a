//! Writes behind: background processes that bring what shared memory holds into the tables.
//!
//! Where the library is preloaded, the server keeps one process, the launcher, which is connected to no
//! database and sleeps until a session has changed something for the first time since the last flush. It then
//! starts a writer for that session's database. A writer flushes at once and every
//! codeverify.flush_interval, and ends when nothing has changed during one: DROP DATABASE and CREATE DATABASE ...
//! TEMPLATE wait five seconds for such a process, and get their way. When the server is shut down, writers flush
//! once more after the last session of their database has gone.

pub mod launcher;
pub mod process;
pub mod step;
mod writer;

/// Longest that a writer stays in a database in which nothing changes, in microseconds.
const LONGEST_STAY: i64 = 2_000_000;

/// When to try again what somebody else is in the way of, in microseconds.
pub const RETRY: i64 = 1_000_000;

/// Writers that run at the same time, of the max_worker_processes that others need too.
const MOST_WRITERS: usize = 2;
