//! Verification: one pass over all entries in the order in which they are stored, which finds the lanes
//! that something is wrong with, and a walk along each of those, which names what is.

mod aggregate;
mod checkpoints;
mod explanation;
mod known;
mod reader;
mod report;
mod row;
mod run;
mod sql;
mod tally;
pub mod verdict;
mod walk;
