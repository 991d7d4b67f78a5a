//! SARIF 2.1.0, the OASIS format for the results of static analysis: logs become findings, and
//! findings become a log again.
//!
//! [`read_log`] turns a log into one [`Run`] per run, or into the [`SarifError`] that names the
//! first fault by its path. [`write_log`] writes a log that is valid against the schema of the
//! standard and that [`read_log`] turns into the same findings.
//!
//! No limit of the log's own is imposed on texts. Only what references multiply is bounded.

mod configuration;
mod directory;
mod error;
mod finding;
mod fingerprint;
mod fixes;
mod guard;
mod location;
mod message;
mod overrides;
mod path;
mod read;
mod result;
mod rule;
mod rules;
mod run;
mod severity;
mod shape;
mod suppression;
mod taxonomy;
mod tidy;
mod uri;
mod value;
mod weakness;
mod write;
mod written_run;

#[cfg(test)]
mod tests;

pub use error::SarifError;
pub use finding::Finding;
pub use read::{read_log, Run};
pub use write::{write_log, Analysis, StoredFinding};
