//! The one table of the error codes that the extension raises itself (class `VC`).
//!
//! Every code has a name, a SQLSTATE and a hint that says what to do. SQL files raise the same
//! codes with `ERRCODE = 'VCxxx'`; a test below holds them to this table, and docs/errors.md lists it.

use thiserror::Error;

/// What can go wrong, with the facts that the message needs. Display is the message, in
/// PostgreSQL's style; no variant ever holds a secret.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum Error {
    #[error("only a superuser can deploy codeverify")]
    DeployNeedsSuperuser,
    #[error("some of the codeverify objects exist already")]
    PartlyDeployed { existing: Vec<String> },
    #[error("tables of codeverify have lost their isolation")]
    Unprotected { tables: Vec<String> },
    #[error("removing all codeverify data was not confirmed")]
    NotConfirmed { database: String },
    #[error("the transaction already acts for another identity")]
    ContextConflict,
    #[error("no organization in context")]
    ContextMissing,
    #[error("only codeverify_service may take on an identity")]
    NotTrusted,
    #[error("user {user_id} is not a member of organization {org_id}")]
    NotAMember { user_id: String, org_id: String },
    #[error("organization {org_id} does not exist")]
    NoSuchOrganization { org_id: String },
    #[error("the member role in context does not allow this")]
    RoleNotAllowed { permission: &'static str },
    #[error("\"{permission}\" is not a permission")]
    UnknownPermission { permission: String },
    #[error("invalid API key request: {problem}")]
    InvalidApiKeyRequest { problem: String },
    #[error("analysis {analysis_id} does not exist")]
    NoSuchAnalysis { analysis_id: String },
    #[error("analysis {analysis_id} is {status}, not running")]
    AnalysisNotRunning { analysis_id: String, status: String },
    #[error("invalid SARIF log: {problem}")]
    InvalidSarif { path: String, problem: String },
    #[error("the SARIF log is too large: {bytes} bytes")]
    SarifTooLarge { bytes: usize, limit: usize },
    #[error("reading the SARIF log would take {memory} bytes of memory")]
    SarifTakesTooMuch { memory: usize, limit: usize },
    #[error("audits.record_changes() was not called by a trigger of audits.track()")]
    NotACaptureTrigger,
    #[error("the operating system gave no random bytes")]
    NoRandomness,
}

/// Every code of class VC with its meaning: the table that docs/errors.md is checked against.
#[cfg(test)]
pub const CODES: &[(&str, &str)] = &[
    ("VC001", "schemas_conflict"),
    ("VC002", "not_confirmed"),
    ("VC003", "partly_deployed"),
    ("VC004", "deploy_needs_superuser"),
    ("VC005", "encoding_not_supported"),
    ("VC010", "context_conflict"),
    ("VC011", "context_missing"),
    ("VC012", "not_a_member"),
    ("VC013", "last_owner"),
    ("VC014", "role_not_allowed"),
    ("VC015", "no_such_organization"),
    ("VC016", "not_isolatable"),
    ("VC017", "unknown_permission"),
    ("VC018", "author_not_in_context"),
    ("VC020", "invalid_api_key_request"),
    ("VC030", "no_such_repository"),
    ("VC031", "repository_disabled"),
    ("VC040", "no_such_analysis"),
    ("VC041", "illegal_transition"),
    ("VC042", "no_such_finding"),
    ("VC043", "invalid_sarif"),
    ("VC044", "sarif_too_large"),
    ("VC054", "not_trackable"),
    ("VC090", "no_randomness"),
];

impl Error {
    /// The SQLSTATE.
    pub fn code(&self) -> &'static str {
        match self {
            Error::NotConfirmed { .. } => "VC002",
            Error::PartlyDeployed { .. } | Error::Unprotected { .. } => "VC003",
            Error::DeployNeedsSuperuser => "VC004",
            Error::ContextConflict => "VC010",
            Error::ContextMissing => "VC011",
            Error::NotAMember { .. } => "VC012",
            Error::RoleNotAllowed { .. } | Error::NotTrusted => "VC014",
            Error::NoSuchOrganization { .. } => "VC015",
            Error::UnknownPermission { .. } => "VC017",
            Error::InvalidApiKeyRequest { .. } => "VC020",
            Error::NoSuchAnalysis { .. } => "VC040",
            Error::AnalysisNotRunning { .. } => "VC041",
            Error::InvalidSarif { .. } => "VC043",
            Error::SarifTooLarge { .. } | Error::SarifTakesTooMuch { .. } => "VC044",
            Error::NotACaptureTrigger => "VC054",
            Error::NoRandomness => "VC090",
        }
    }

    /// The DETAIL line, where the message does not say it all.
    pub fn detail(&self) -> Option<String> {
        match self {
            Error::PartlyDeployed { existing } => Some(format!("These exist: {}.", existing.join(", "))),
            Error::Unprotected { tables } => Some(format!("These have: {}.", tables.join(", "))),
            Error::NotConfirmed { .. } => {
                Some("All tables, types and views of codeverify and every row in them would be dropped.".into())
            }
            Error::ContextConflict => Some(
                "Rows read under the first identity may still be held by cursors or plans of this transaction.".into(),
            ),
            Error::RoleNotAllowed { permission } => Some(format!("It takes the permission \"{permission}\".")),
            Error::InvalidSarif { path, .. } => Some(format!("The fault is at {path}.")),
            Error::SarifTooLarge { limit, .. } | Error::SarifTakesTooMuch { limit, .. } => Some(format!("The limit is {limit} bytes (at $).")),
            _ => None,
        }
    }

    /// The HINT line: what to do about it.
    pub fn hint(&self) -> String {
        match self {
            Error::DeployNeedsSuperuser => "Connect as a superuser.".into(),
            Error::PartlyDeployed { .. } => {
                "Restore the missing objects from a backup, or move the existing ones away and deploy again.".into()
            }
            Error::Unprotected { .. } => {
                "Restore the database from a backup; DROP EXTENSION ... CASCADE and DROP OWNED take policies and triggers away.".into()
            }
            Error::NotConfirmed { database } => {
                format!("To go on, pass the name of this database: SELECT codeverify.uninstall('{database}');")
            }
            Error::ContextConflict => "End this transaction and use a new one for each identity.".into(),
            Error::ContextMissing => {
                "Call auth.authenticate_api_key(…) or tenancy.assume(…) first, in the same transaction.".into()
            }
            Error::NotTrusted => "Authenticate with auth.authenticate_api_key(...) instead.".into(),
            Error::NotAMember { .. } => "Add the user with tenancy.add_member(org_id, user_id, role).".into(),
            Error::RoleNotAllowed { .. } => {
                "Ask an owner or administrator of the organization, or use a key with a wider scope.".into()
            }
            Error::NoSuchOrganization { .. } => {
                "Create it with tenancy.create_organization(name), or check the id.".into()
            }
            Error::UnknownPermission { .. } => "Use one of read, write, manage and own.".into(),
            Error::InvalidApiKeyRequest { .. } => {
                "See COMMENT ON FUNCTION auth.create_api_key for what each argument may be.".into()
            }
            Error::NoSuchAnalysis { .. } => "Check the id and the organization in context.".into(),
            Error::AnalysisNotRunning { .. } => "Start a new analysis with analysis.start_analysis(…).".into(),
            Error::InvalidSarif { .. } => {
                "The log must follow SARIF 2.1.0; nothing was written, so it can be mended and sent again.".into()
            }
            Error::SarifTooLarge { .. } | Error::SarifTakesTooMuch { .. } => {
                "Split the log by run, or raise codeverify.sarif_max_size.".into()
            }
            Error::NotACaptureTrigger => "Make the triggers with audits.track(...).".into(),
            Error::NoRandomness => "Check that the server process may read the system's random source.".into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codeverify::deploy::{DEPLOYED, INSTALLED};

    #[test]
    fn codes_are_unique_and_well_formed() {
        let mut seen = std::collections::BTreeSet::new();
        for (code, name) in CODES {
            assert!(code.len() == 5 && code.starts_with("VC"), "{code}");
            assert!(seen.insert(code), "{code} twice");
            assert!(
                name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'),
                "{name}"
            );
        }
    }

    #[test]
    fn sql_files_raise_only_codes_of_the_table() {
        for file in INSTALLED.iter().chain(DEPLOYED) {
            for (at, _) in file.text.match_indices("'VC") {
                let code = &file.text[at + 1..at + 6];
                assert!(
                    CODES.iter().any(|(known, _)| *known == code),
                    "{}: {code}",
                    file.path
                );
            }
        }
    }

    #[test]
    fn documentation_lists_every_code() {
        let page = include_str!("../../docs/errors.md");
        for (code, name) in CODES {
            assert!(
                page.contains(&format!("| `{code}` | `{name}` |")),
                "{code} {name}"
            );
        }
    }
}
