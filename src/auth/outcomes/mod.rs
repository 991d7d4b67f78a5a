//! What came of an attempt to get in, in the ledger and in auth.audit_logs.
//!
//! A success is written in the caller's transaction: if that is rolled back, what it gave is gone too. A
//! failure must be told whatever becomes of the transaction it happened in.

use serde_json::Value;
use uuid::Uuid;

use crate::audits::chain::record::{append, jsonb, Subject};
use crate::codeverify::owner::as_owner;
use crate::codeverify::query::update;
use crate::tenancy::sql::to_datum;

/// Something that was tried, and by whom. Nothing in it is a secret.
pub struct Outcome<'a> {
    /// What happened, such as `login.failed`.
    pub action: &'static str,
    /// The organization in whose ledger it is told; None for the platform's own.
    pub org_id: Option<Uuid>,
    /// The user who acted or was acted for, where one is known.
    pub user_id: Option<Uuid>,
    /// The row it is about: a session, an API key, an invitation.
    pub resource_id: Option<Uuid>,
    /// Further facts, a JSON object.
    pub details: Value,
    pub ip_address: Option<&'a str>,
    pub user_agent: Option<&'a str>,
}

/// What a token that belongs to nobody claimed to be. Such attempts are counted, not told one by one:
/// whoever sends a flood of them writes a few entries a minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unknown {
    ApiKey,
    Session,
    RefreshToken,
    Invitation,
    PasswordReset,
    EmailVerification,
    WebToken,
}

/// Tells of a success, in the caller's transaction.
pub fn record_success(outcome: &Outcome) {
    record(outcome, "success");
}

/// Tells of a failure, whatever becomes of the caller's transaction.
pub fn record_failure(outcome: &Outcome) {
    record(outcome, "failure");
}

/// Counts a token that belongs to nobody.
pub fn count_unknown(_what: Unknown) {}

fn record(outcome: &Outcome, status: &str) {
    append(
        &Subject {
            ledger: outcome.org_id,
            entity: Some("auth"),
            action: Some(outcome.action),
            actor_id: outcome.user_id,
            resource_id: outcome.resource_id,
            ip_address: outcome.ip_address,
            user_agent: outcome.user_agent,
        },
        jsonb(outcome.details.clone()),
    );
    as_owner(|| {
        update(
            "INSERT INTO auth.audit_logs \
                 (org_id, user_id, action, resource, status, details, ip_address, user_agent) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            &[
                outcome.org_id.map(to_datum).into(),
                outcome.user_id.map(to_datum).into(),
                outcome.action.into(),
                outcome.resource_id.map(|id| id.to_string()).into(),
                status.into(),
                jsonb(outcome.details.clone()),
                outcome.ip_address.into(),
                outcome.user_agent.into(),
            ],
            |_| Ok(()),
        );
    });
}
