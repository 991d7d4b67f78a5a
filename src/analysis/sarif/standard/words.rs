//! Words of the standard, and of the conventions beside it that most tools follow.

/// The version of SARIF that is read and written.
pub const VERSION: &str = "2.1.0";

pub const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

pub const LEVELS: [&str; 4] = ["none", "note", "warning", "error"];

pub const KINDS: [&str; 6] = [
    "notApplicable",
    "pass",
    "fail",
    "review",
    "open",
    "informational",
];
/// Kinds of results that are findings, the default first.
pub const FINDING_KINDS: [&str; 4] = ["fail", "review", "open", "informational"];

pub const BASELINE_STATES: [&str; 4] = ["new", "unchanged", "updated", "absent"];
/// Baseline states of results that are findings.
pub const FINDING_STATES: [&str; 3] = ["new", "unchanged", "updated"];

/// Properties of rules and results that the standard does not define.
pub const SECURITY_SEVERITY: &str = "security-severity";
pub const PRECISION: &str = "precision";
pub const VERIFICATION_TYPE: [&str; 2] = ["verification_type", "verificationType"];

/// Properties of a rule that decide something about its findings, and are kept for that.
pub const RULE_PROPERTIES: [&str; 4] = [
    SECURITY_SEVERITY,
    PRECISION,
    VERIFICATION_TYPE[0],
    VERIFICATION_TYPE[1],
];
