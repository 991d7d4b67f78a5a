//! A log as findings: `log` reads its runs, `result` follows what a result refers to, and `finding`
//! makes the columns of it.

mod configuration;
mod directory;
mod finding;
mod fixes;
mod guard;
mod identity;
mod invocations;
mod locations;
pub mod log;
mod message;
mod references;
mod result;
mod rule;
mod run;
mod severity;
pub mod suppressions;
mod taxonomies;
mod tool;
mod uri_bases;
mod weaknesses;
