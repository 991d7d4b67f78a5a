//! Logging in with a password.

pub mod sql;

use pgrx::JsonB;
use serde_json::{json, Map, Value};
use uuid::Uuid;

use super::lockout::{self, Verdict};
use super::outcomes::{record_failure, record_success, Outcome};
use super::passwords::{self, Checked};
use super::sessions::{self, NewSession};
use super::totp;
use super::users::email;
use crate::codeverify::errors::Error;
use crate::codeverify::owner::as_owner;
use crate::codeverify::query::{select, select_one, update_one};
use crate::tenancy::sql::{from_datum, to_datum};

/// What a client sends to log in. Whatever of it is malformed is treated as wrong or as missing: a log-in that
/// raised would be one that is not counted.
pub struct Request<'a> {
    pub email: &'a str,
    pub password: &'a str,
    pub totp_code: Option<&'a str>,
    pub org_id: Option<Uuid>,
    /// A JSON object.
    pub device_info: Map<String, Value>,
    pub ip_address: Option<String>,
}

/// What becomes of it.
pub enum Answer {
    Ok {
        user_id: Uuid,
        session: NewSession,
    },
    /// The address, the password, or both: which is not told.
    InvalidCredentials,
    Locked {
        until: Option<i64>,
    },
    TotpRequired,
    TotpInvalid,
    Unverified,
    NoMembership,
}

impl Answer {
    pub fn status(&self) -> &'static str {
        match self {
            Answer::Ok { .. } => "ok",
            Answer::InvalidCredentials => "invalid_credentials",
            Answer::Locked { .. } => "locked",
            Answer::TotpRequired => "totp_required",
            Answer::TotpInvalid => "totp_invalid",
            Answer::Unverified => "unverified",
            Answer::NoMembership => "no_membership",
        }
    }
}

/// A user that an address names, as it was read before the password was hashed.
struct Account {
    user_id: Uuid,
    password_hash: Option<String>,
    verified: bool,
}

/// Checks what a client sent, from what tells least to what tells most, and begins a session when all is right.
pub fn attempt(request: &Request) -> Result<Answer, Error> {
    let name = email::account(request.email);
    let allowed = match lockout::begin(&name, request.ip_address.as_deref()) {
        Verdict::Go(allowed) => allowed,
        Verdict::Locked { until } => {
            fail(request, None, "locked");
            return Ok(Answer::Locked { until });
        }
    };

    // Up to here and including the record of the failure, an address that nobody has takes the same work as one
    // that somebody has.
    let account = email::normalise(request.email).and_then(|address| as_owner(|| find(&address)));
    let stored = account
        .as_ref()
        .and_then(|account| account.password_hash.as_deref());
    let checked = passwords::check(stored, request.password);
    let (Some(account), Checked::Right { outdated }) = (&account, checked) else {
        let reason = match &account {
            Some(_) => checked.reason(),
            None => "unknown_user",
        };
        fail(request, account.as_ref(), reason);
        return Ok(Answer::InvalidCredentials);
    };

    // From here on the client knows the password. A wrong code stays counted, so that the second factor cannot
    // be guessed either; what else is missing is no guess. Only a log-in that goes through forgets what was
    // counted before.
    let refused = match totp::check(account.user_id, request.totp_code) {
        totp::Check::Required => Some(Answer::TotpRequired),
        totp::Check::Invalid => Some(Answer::TotpInvalid),
        totp::Check::Locked { until } => Some(Answer::Locked { until }),
        totp::Check::NotEnrolled | totp::Check::Accepted if !account.verified => {
            Some(Answer::Unverified)
        }
        totp::Check::NotEnrolled | totp::Check::Accepted => request
            .org_id
            .filter(|org_id| !is_member(account.user_id, *org_id))
            .map(|_| Answer::NoMembership),
    };
    if let Some(answer) = refused {
        if !matches!(answer, Answer::TotpInvalid) {
            allowed.withdraw();
        }
        fail(request, Some(account), answer.status());
        return Ok(answer);
    }

    allowed.succeed();
    let new_hash = outdated
        .then(|| passwords::text::Prepared::to_check(request.password))
        .flatten()
        .map(|password| passwords::hash(&password));
    if !as_owner(|| stamp(account, new_hash.as_deref())) {
        // Somebody has changed the password since it was read: this one opens nothing any more.
        fail(request, Some(account), "wrong_password");
        return Ok(Answer::InvalidCredentials);
    }
    let session = sessions::create(
        account.user_id,
        request.org_id,
        Value::Object(request.device_info.clone()),
        request.ip_address.as_deref(),
    )?;
    record_success(&Outcome {
        action: "login.succeeded",
        org_id: request.org_id,
        user_id: Some(account.user_id),
        resource_id: Some(session.session_id),
        details: json!({ "rehashed": new_hash.is_some() }),
        ip_address: request.ip_address.as_deref(),
        user_agent: user_agent(request),
    });
    Ok(Answer::Ok {
        user_id: account.user_id,
        session,
    })
}

fn find(address: &str) -> Option<Account> {
    select(
        "SELECT id, password_hash, verified FROM auth.users WHERE lower(email) = $1",
        &[address.into()],
        |rows| {
            if rows.is_empty() {
                return Ok(None);
            }
            let row = rows.first();
            let (Some(user_id), password_hash, verified) = (row.get(1)?, row.get(2)?, row.get(3)?)
            else {
                return Ok(None);
            };
            Ok(Some(Account {
                user_id: from_datum(user_id),
                password_hash,
                verified: verified.unwrap_or(false),
            }))
        },
    )
}

fn is_member(user_id: Uuid, org_id: Uuid) -> bool {
    as_owner(|| {
        select_one::<bool>(
            "SELECT true FROM tenancy.org_memberships WHERE org_id = $1 AND user_id = $2",
            &[to_datum(org_id).into(), to_datum(user_id).into()],
        )
    })
    .unwrap_or(false)
}

/// Notes the log-in, and a stronger hash where there is one. False if the password is not what it was: a change
/// of it has ended the user's sessions, and none may begin after it. The row stays locked until the transaction
/// ends, so a change that comes now finds the session.
fn stamp(account: &Account, new_hash: Option<&str>) -> bool {
    update_one::<bool>(
        "UPDATE auth.users \
         SET last_login = pg_catalog.clock_timestamp(), password_hash = coalesce($3, password_hash) \
         WHERE id = $1 AND password_hash = $2 \
         RETURNING true",
        &[
            to_datum(account.user_id).into(),
            account.password_hash.as_deref().into(),
            new_hash.into(),
        ],
    )
    .unwrap_or(false)
}

/// Tells of a failure. An address that nobody has is told as a digest, and a text that is no address not at
/// all: people type passwords into the wrong field.
fn fail(request: &Request, account: Option<&Account>, reason: &str) {
    let mut details = json!({ "reason": reason });
    if account.is_none() {
        if let Some(address) = email::normalise(request.email) {
            details["email_sha256"] = json!(email::digest(&address));
        }
    }
    record_failure(&Outcome {
        user_id: account.map(|account| account.user_id),
        ip_address: request.ip_address.as_deref(),
        user_agent: user_agent(request),
        ..Outcome::of("login.failed", details)
    });
}

/// What the client says that it is, if it does.
fn user_agent<'a>(request: &'a Request) -> Option<&'a str> {
    request
        .device_info
        .get("user_agent")
        .and_then(Value::as_str)
        .filter(|agent| (1..=1024).contains(&agent.len()))
}

/// A time in microseconds since 1970, as JSON.
pub fn retry_at(until: Option<i64>) -> Value {
    until
        .and_then(|until| {
            as_owner(|| {
                select_one::<JsonB>(
                    "SELECT to_jsonb(timestamptz 'epoch' + $1 * interval '1 microsecond')",
                    &[until.into()],
                )
            })
        })
        .map_or(Value::Null, |time| time.0)
}
