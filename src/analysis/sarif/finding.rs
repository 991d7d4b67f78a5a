//! Findings, as they are stored.

use serde_json::Value;

pub const CATEGORIES: [&str; 3] = ["verification", "security", "semantic"];
pub const SEVERITIES: [&str; 4] = ["critical", "high", "medium", "low"];
pub const VERIFICATION_TYPES: [&str; 3] = ["formal", "ai", "pattern"];

/// The path of a finding whose result names no file.
pub const NO_LOCATION: &str = "(no location)";

/// What a result gives: the columns of a new row of `analysis.findings`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Finding {
    /// The id of the rule as the result gives it; also `metadata.sarif.ruleId`.
    pub rule_id: Option<String>,
    /// One of [`CATEGORIES`].
    pub category: &'static str,
    /// One of [`SEVERITIES`].
    pub severity: &'static str,
    pub title: String,
    pub description: Option<String>,
    /// A path in the repository, an absolute path or URI, or [`NO_LOCATION`].
    pub file_path: String,
    pub line_start: Option<i32>,
    pub line_end: Option<i32>,
    pub code_snippet: Option<String>,
    pub fix_suggestion: Option<String>,
    pub fix_diff: Option<String>,
    /// From 0 to 1.
    pub confidence: Option<f64>,
    /// One of [`VERIFICATION_TYPES`].
    pub verification_type: Option<&'static str>,
    /// Set only in logs written by [`super::write_log`].
    pub verification_proof: Option<String>,
    /// `cwe`, `owasp`, `tags`, and under `sarif` what the columns have no room for.
    pub metadata: Value,
    pub dismissed: bool,
    pub dismissed_reason: Option<String>,
    /// 64 lower-case hexadecimal digits, different for each finding of a log.
    pub fingerprint: String,
}

/// What a log is written from: a row of `analysis.findings`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StoredFinding {
    pub rule_id: Option<String>,
    pub category: String,
    pub severity: String,
    pub title: String,
    pub description: Option<String>,
    pub file_path: String,
    pub line_start: Option<i32>,
    pub line_end: Option<i32>,
    pub code_snippet: Option<String>,
    pub fix_suggestion: Option<String>,
    pub fix_diff: Option<String>,
    pub confidence: Option<f64>,
    pub verification_type: Option<String>,
    pub verification_proof: Option<String>,
    pub metadata: Value,
    pub dismissed: bool,
    pub dismissed_reason: Option<String>,
    /// Without one, the log gets the fingerprint that reading it would give.
    pub fingerprint: Option<String>,
}
