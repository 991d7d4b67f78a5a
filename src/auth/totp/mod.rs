//! The second factor: one-time passwords of an authenticator app, and recovery codes for when it is lost.
//!
//! `code` and `recovery` are pure; `factor` is what is stored of a user.

mod code;
mod factor;
mod recovery;
pub mod settings;
pub mod sql;

use uuid::Uuid;

use self::factor::{Factor, State};
use super::lockout::{self, Verdict};

/// What a log-in may make of a code, after the password was right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// The user has no second factor.
    NotEnrolled,
    /// There is one, and no code was given.
    Required,
    Invalid,
    /// The code is used up.
    Accepted,
    /// The code was not looked at, since too many were wrong: not before this time, in microseconds since 1970.
    Locked {
        until: Option<i64>,
    },
}

/// Checks a code of a user: of the app, or for recovery. A right one locks the user's row, so that of several log-ins
/// with it one gets in. Where the seed cannot be decrypted, no code of the app is right.
pub fn check(user_id: Uuid, code: Option<&str>) -> Check {
    if !Factor::read(user_id).is_ok_and(|factor| factor.state == State::InForce) {
        return Check::NotEnrolled;
    }
    let Some(code) = code.filter(|code| !code.trim().is_empty()) else {
        return Check::Required;
    };
    let attempt = match lockout::begin_second_factor(user_id) {
        Verdict::Go(attempt) => attempt,
        Verdict::Locked { until } => return Check::Locked { until },
    };
    match Factor::prove(user_id, State::InForce, code) {
        Ok(Some(_)) => {
            attempt.succeed();
            Check::Accepted
        }
        // Also for one who has just given it up: the code was checked against what is no more.
        Ok(None) | Err(_) => Check::Invalid,
    }
}
