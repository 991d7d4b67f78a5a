//! What is wrong with a log, and where.

/// The first fault found in a log. Nothing of a log that has one is imported.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {problem}")]
pub struct SarifError {
    /// JSONPath of the fault, such as `$.runs[0].results[3].ruleIndex`.
    pub path: String,
    /// What is wrong there, in lower case and without a full stop.
    pub problem: String,
}
