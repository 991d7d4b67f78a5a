//! Findings as a log: `log` puts them into one run per tool, and `result` writes each as a result.

mod location;
pub mod log;
mod result;
mod rule;
mod run;
mod suppressions;
mod taxonomies;
mod tool;
