//! Does jobs, as codeverify_owner and in a transaction that does nothing else.

use uuid::Uuid;

use super::job::{Job, Reply};
use crate::auth::lockout;
use crate::auth::outcomes::writing;
use crate::codeverify::query::{update, update_one};
use crate::tenancy::sql::to_datum;

pub fn execute(job: Job) -> Reply {
    match job {
        Job::TakeLease {
            api_key_id,
            window_start,
            max,
            want,
        } => take_lease(api_key_id, window_start, max, want),
        Job::RevokeSession { session_id, reason } => revoke_session(session_id, &reason),
        Job::RecordOutcomes(entries) => {
            for entry in &entries {
                writing::write(entry, true);
            }
            Reply::Recorded
        }
        Job::Attempt(step, subjects) => Reply::Attempt(lockout::take_on_rows(step, &subjects)),
    }
}

/// A minute is never granted more than `max` in all, by whatever number of sessions at once.
fn take_lease(api_key_id: Uuid, window_start: i64, max: i32, want: i32) -> Reply {
    update(
        "INSERT INTO auth.api_key_rate_buckets (api_key_id, window_start, count, org_id) \
         SELECT id, timestamptz 'epoch' + $2 * interval '1 microsecond', 0, org_id \
         FROM auth.api_keys WHERE id = $1 \
         ON CONFLICT (api_key_id, window_start) DO NOTHING",
        &[to_datum(api_key_id).into(), window_start.into()],
        |_| Ok(()),
    );
    // From here to the commit nobody else takes a lease of this minute.
    let before = update_one::<i32>(
        "SELECT count FROM auth.api_key_rate_buckets \
         WHERE api_key_id = $1 \
           AND window_start = timestamptz 'epoch' + $2 * interval '1 microsecond' \
         FOR NO KEY UPDATE",
        &[to_datum(api_key_id).into(), window_start.into()],
    );
    let Some(before) = before else {
        return Reply::Lease {
            granted: 0,
            count: 0,
        };
    };
    let granted = max.saturating_sub(before).clamp(0, want.max(0));
    let count = before.saturating_add(granted);
    if granted > 0 {
        update(
            "UPDATE auth.api_key_rate_buckets SET count = $3 \
             WHERE api_key_id = $1 \
               AND window_start = timestamptz 'epoch' + $2 * interval '1 microsecond'",
            &[
                to_datum(api_key_id).into(),
                window_start.into(),
                count.into(),
            ],
            |_| Ok(()),
        );
    }
    Reply::Lease { granted, count }
}

/// A session that its caller has not committed is not seen here, and left to the caller.
fn revoke_session(session_id: Uuid, reason: &str) -> Reply {
    let revoked = update_one::<bool>(
        "INSERT INTO auth.session_revocations (session_id, reason) \
         SELECT s.id, $2 FROM auth.sessions AS s \
         WHERE s.id = $1 \
           AND NOT EXISTS (SELECT FROM auth.session_revocations AS r WHERE r.session_id = s.id) \
         RETURNING true",
        &[to_datum(session_id).into(), reason.into()],
    );
    Reply::Revoked(revoked == Some(true))
}
