//! SARIF 2.1.0, the OASIS format for the results of static analysis: logs become findings, and
//! findings become a log again.
//!
//! [`read_log`] turns a log into one [`Run`] per run, or into the [`error::SarifError`] that names
//! the first fault by its path. [`write_log`] writes a log that is valid against the schema of the
//! standard and that [`read_log`] turns into the same findings.
//!
//! `standard` is what the standard itself lays down; `reading` and `writing` both build on it, and
//! `writing` on `reading`, never the other way round.
//!
//! No limit of the log's own is imposed on texts. What references multiply is bounded here; how large
//! a log may be is the caller's to say, by its length and by [`estimate`].

mod columns;
mod error;
mod finding;
mod fingerprint;
mod memory;
mod pace;
mod path;
mod reading;
mod standard;
mod value;
mod writing;

#[cfg(test)]
mod tests;

pub use finding::{Finding, StoredFinding};
pub use memory::estimate;
pub use reading::log::{read_log, Run};
pub use writing::log::{write_log, Analysis};
