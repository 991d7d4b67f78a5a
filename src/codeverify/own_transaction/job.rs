//! What can be done in a transaction of its own. Pure data: a job and its reply travel as JSON.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::auth::lockout::request::{Answer, Step, Subjects};
use crate::auth::outcomes::entry::Entry;

/// A piece of work. Nothing in it is a secret.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Job {
    /// Takes up to `want` uses of an API key in a minute in which it may be used `max` times.
    TakeLease {
        api_key_id: Uuid,
        /// The minute's begin, in microseconds since 1970.
        window_start: i64,
        max: i32,
        want: i32,
    },
    /// Ends a session, if it has not ended yet. `reason` is one of those of auth.session_revocations.
    RevokeSession { session_id: Uuid, reason: String },
    /// Tells of what came of attempts to get in.
    RecordOutcomes(Vec<Entry>),
    /// Takes a step of an attempt to log in.
    Attempt(Step, Subjects),
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Reply {
    /// Uses that were granted, and how many the minute has had with them. None are for a key that is unknown.
    Lease {
        granted: i32,
        count: i32,
    },
    /// Whether the session was ended now.
    Revoked(bool),
    Recorded,
    Attempt(Answer),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_survive_the_journey() {
        for job in [
            Job::TakeLease {
                api_key_id: Uuid::from_u128(1),
                window_start: i64::MIN,
                max: i32::MAX,
                want: -1,
            },
            Job::RevokeSession {
                session_id: Uuid::max(),
                reason: "reuse \"\u{0}\u{1F600}".to_owned(),
            },
        ] {
            let bytes = serde_json::to_vec(&job).expect("JSON");
            assert_eq!(serde_json::from_slice::<Job>(&bytes).expect("a job"), job);
        }
    }
}
