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
}

/// Checks a code of a user: of the app, or for recovery. Locks the user's row where there is a second factor, so
/// that of several log-ins with one code one gets in. Raises nothing: where the seed cannot be decrypted, no code
/// of the app is right.
pub fn check(user_id: Uuid, code: Option<&str>) -> Check {
    let Some(code) = code.filter(|code| !code.trim().is_empty()) else {
        return match State::of(user_id) {
            Ok(State::InForce) => Check::Required,
            _ => Check::NotEnrolled,
        };
    };
    match Factor::lock(user_id) {
        Ok(factor) if factor.state == State::InForce => {
            if factor.accept(code) {
                Check::Accepted
            } else {
                Check::Invalid
            }
        }
        _ => Check::NotEnrolled,
    }
}
