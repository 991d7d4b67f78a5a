//! What came of an attempt to get in, in the ledger and in auth.audit_logs.
//!
//! A success is written in the caller's transaction: if that is rolled back, what it gave is gone too. A
//! failure must be told whatever becomes of the transaction it happened in:
//!
//! - Where the library is preloaded it goes into a queue in shared memory, and within seconds from there into
//!   the tables. A crash of the server loses what is in the queue. A queue that is full loses what comes; how
//!   much that was is told in an entry of its own, and the server's log has it.
//! - Elsewhere a background worker is started that writes it before the function returns.
//! - Where that fails too (all of max_worker_processes taken, say), the server's log has it, and it is written
//!   in the caller's transaction.

pub mod behind;
pub mod entry;
mod queue;
mod repeats;
mod unknown;
pub mod writing;

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::{PgLogLevel, PgSqlErrorCode};
use serde_json::Value;
use uuid::Uuid;

use self::entry::Entry;
use crate::codeverify::own_transaction::job::Job;
use crate::codeverify::own_transaction::{self, Unavailable};
use crate::codeverify::owner::as_owner;
use crate::codeverify::settings;
use crate::codeverify::shared_memory::{self, databases};
use crate::codeverify::time::now;
use crate::codeverify::transaction::can_write;

pub use queue::{flush_outcomes, OUTCOMES};
pub use unknown::{count_dropped, flush_unknown, COUNTS};

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

impl Outcome<'_> {
    /// One of which nothing more is known.
    pub fn of(action: &'static str, details: Value) -> Outcome<'static> {
        Outcome {
            action,
            org_id: None,
            user_id: None,
            resource_id: None,
            details,
            ip_address: None,
            user_agent: None,
        }
    }
}

/// What a token that belongs to nobody claimed to be, or a delivery that nobody has signed. Such attempts are counted, not told one by one:
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
    Delivery,
}

impl Unknown {
    pub const ALL: [Unknown; 8] = [
        Unknown::ApiKey,
        Unknown::Session,
        Unknown::RefreshToken,
        Unknown::Invitation,
        Unknown::PasswordReset,
        Unknown::EmailVerification,
        Unknown::WebToken,
        Unknown::Delivery,
    ];

    /// What an entry about it is called.
    pub fn action(self) -> &'static str {
        match self {
            Unknown::ApiKey => "api_key.refused",
            Unknown::Session | Unknown::RefreshToken => "session.failed",
            Unknown::Invitation => "invitation.refused",
            Unknown::PasswordReset => "password.reset_failed",
            Unknown::EmailVerification => "user.email_verification_failed",
            Unknown::WebToken => "web_token.refused",
            Unknown::Delivery => "delivery.refused",
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Unknown::ApiKey => "api_key",
            Unknown::Session => "session",
            Unknown::RefreshToken => "refresh_token",
            Unknown::Invitation => "invitation",
            Unknown::PasswordReset => "password_reset",
            Unknown::EmailVerification => "email_verification",
            Unknown::WebToken => "web_token",
            Unknown::Delivery => "delivery",
        }
    }
}

/// Tells of a success, in the caller's transaction. One that may only read leaves it to another.
pub fn record_success(outcome: &Outcome) {
    let entry = Entry::new(outcome, true, now());
    if can_write() {
        as_owner(|| writing::write(&entry, false));
    } else {
        record_elsewhere(&entry);
    }
}

/// Tells of a failure, whatever becomes of the caller's transaction; or counts it, where the session has told of
/// many like it within the minute.
pub fn record_failure(outcome: &Outcome) {
    if let Some(entry) = repeats::tell(Entry::new(outcome, false, now())) {
        record_elsewhere(&entry);
    }
}

/// Counts a token that belongs to nobody.
pub fn count_unknown(what: Unknown) {
    unknown::count(what);
}

fn record_elsewhere(entry: &Entry) {
    let has_writer = shared_memory::is_available() && databases::is_writable();
    if has_writer && settings::own_transactions() {
        queue::push(entry);
        return;
    }
    if let Err(why) = own_transaction::run(&Job::RecordOutcomes(vec![entry.clone()])) {
        log_failure(entry, &why.to_string());
        // A standby's transactions write nothing, and what failed here may fail there.
        if can_write() && why != Unavailable::Standby {
            as_owner(|| writing::write(entry, true));
        }
    }
}

/// Tells the server's log, and nobody else, of what did not find its way.
fn log_failure(entry: &Entry, why: &str) {
    let said = serde_json::to_string(entry).unwrap_or_default();
    ErrorReport::new(
        PgSqlErrorCode::ERRCODE_SUCCESSFUL_COMPLETION,
        format!("codeverify could not record an outcome apart from its transaction: {why}"),
        "record_elsewhere",
    )
    .set_detail(said)
    .report(PgLogLevel::LOG_SERVER_ONLY);
}
