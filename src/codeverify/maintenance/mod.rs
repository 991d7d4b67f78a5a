//! Maintenance: what has to be done again and again, in steps that fail one by one.
//!
//! A run goes through [`tasks::TASKS`]. Each step is kept or undone as a whole: in a background worker it is a
//! transaction of its own, in the caller's transaction (codeverify.own_transactions = off, or no worker to be had) a
//! subtransaction. It is done as codeverify_owner; an error in it is written down and does not stop the others.

mod due;
mod here;
mod lock;
mod records;
mod report;
mod runner;
mod sql;
pub mod tasks;
