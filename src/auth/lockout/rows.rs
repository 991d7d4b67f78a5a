//! What is known of accounts and addresses in auth.login_attempts and auth.users. All of it runs as
//! codeverify_owner.

use pgrx::datum::{DatumWithOid, TimestampWithTimeZone};
use uuid::Uuid;

use super::policy::Record;
use super::subject::Subject;
use crate::codeverify::latest::select_latest;
use crate::codeverify::query::{select_one, update, update_one};
use crate::codeverify::time;
use crate::tenancy::sql::{from_datum, to_datum};

/// From so many on, the failures of a user's account are never forgotten; fewer are, after 30 days, and so are those of
/// an account that nobody has. Else whoever invents accounts could fill the table.
const FEW_FAILURES: i32 = 5;

/// What is stored of a subject.
#[derive(Clone, Copy, Default)]
pub struct Stored {
    pub record: Record,
    /// Whose account it is, as far as that is known.
    pub owner: Option<Uuid>,
}

/// The user whose account this is.
pub fn find_user(account: &str) -> Option<Uuid> {
    select_one::<pgrx::Uuid>(
        "SELECT id FROM auth.users WHERE lower(email) = $1",
        &[account.into()],
    )
    .map(from_datum)
}

/// What is committed of a subject, even where the caller's snapshot is older: it must not be able to guess against
/// counts of yesterday.
pub fn load(subject: &Subject) -> Option<Stored> {
    select_latest(
        "SELECT failures, last_failed_at, locked_until, user_id \
         FROM auth.login_attempts WHERE subject_hash = $1",
        &[hex::encode(subject.hash).into()],
        |rows| {
            let row = rows.first()?;
            Some(stored(row.get(1), row.get(2), row.get(3), row.get(4)))
        },
    )
}

fn stored(
    failures: Option<i32>,
    last_failed_at: Option<TimestampWithTimeZone>,
    locked_until: Option<TimestampWithTimeZone>,
    user_id: Option<pgrx::Uuid>,
) -> Stored {
    Stored {
        record: Record {
            failures: failures.unwrap_or(0),
            last_failed_at: last_failed_at.map_or(0, time::from_datum),
            locked_until: locked_until.map(time::from_datum),
        },
        owner: user_id.map(from_datum),
    }
}

/// As `load`, but keeps others from it until the transaction ends.
pub fn lock(subject: &Subject) -> Stored {
    let hash = hex::encode(subject.hash);
    update(
        "INSERT INTO auth.login_attempts (subject_hash, kind) VALUES ($1, $2) \
         ON CONFLICT (subject_hash) DO NOTHING",
        &[hash.as_str().into(), subject.kind.name().into()],
        |_| Ok(()),
    );
    update(
        "SELECT failures, last_failed_at, locked_until, user_id \
         FROM auth.login_attempts WHERE subject_hash = $1 FOR NO KEY UPDATE",
        &[hash.into()],
        |rows| {
            if rows.is_empty() {
                return Ok(Stored::default());
            }
            let row = rows.first();
            Ok(stored(row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?))
        },
    )
}

fn time_or_null(time: Option<i64>) -> DatumWithOid<'static> {
    time.map_or(
        DatumWithOid::null_oid(pgrx::pg_sys::TIMESTAMPTZOID),
        time::to_datum,
    )
}

pub fn store(subject: &Subject, record: &Record, owner: Option<Uuid>) {
    update(
        "INSERT INTO auth.login_attempts AS a \
             (subject_hash, kind, failures, last_failed_at, locked_until, user_id) \
         VALUES ($1, $2, $3, $4, $5, $6) \
         ON CONFLICT (subject_hash) DO UPDATE \
         SET failures = excluded.failures, \
             last_failed_at = excluded.last_failed_at, \
             locked_until = excluded.locked_until, \
             user_id = excluded.user_id",
        &[
            hex::encode(subject.hash).into(),
            subject.kind.name().into(),
            record.failures.into(),
            time::to_datum(record.last_failed_at),
            time_or_null(record.locked_until),
            owner.map(to_datum).into(),
        ],
        |_| Ok(()),
    );
}

/// Shows an account's record in its user's row. False if somebody else is changing that row, whom nobody
/// waits for.
pub fn show(user_id: Uuid, record: &Record) -> bool {
    update_one::<bool>(
        "WITH free AS ( \
             SELECT id FROM auth.users WHERE id = $1 FOR NO KEY UPDATE SKIP LOCKED \
         ), shown AS ( \
             UPDATE auth.users AS u \
             SET failed_login_attempts = $2, locked_until = $3 \
             FROM free AS f \
             WHERE u.id = f.id \
               AND (u.failed_login_attempts, u.locked_until) IS DISTINCT FROM ($2, $3) \
         ) \
         SELECT EXISTS (SELECT FROM free) OR NOT EXISTS (SELECT FROM auth.users WHERE id = $1)",
        &[
            to_datum(user_id).into(),
            record.failures.into(),
            time_or_null(record.locked_until),
        ],
    )
    .unwrap_or(false)
}

/// Deletes rows that mean nothing any more, a batch of them.
pub fn forget_old() {
    update(
        "DELETE FROM auth.login_attempts WHERE subject_hash IN ( \
             SELECT a.subject_hash FROM auth.login_attempts AS a \
             WHERE a.last_failed_at < pg_catalog.clock_timestamp() - interval '1 day' \
               AND CASE \
                       WHEN a.kind = 'account' \
                        AND a.last_failed_at < pg_catalog.clock_timestamp() - interval '30 days' \
                        AND NOT EXISTS (SELECT FROM auth.users AS u WHERE u.id = a.user_id) \
                       THEN true \
                       WHEN a.locked_until > pg_catalog.clock_timestamp() THEN false \
                       ELSE a.kind = 'ip_address' \
                         OR a.failures = 0 \
                         OR (a.failures < $1 \
                             AND a.last_failed_at < pg_catalog.clock_timestamp() - interval '30 days') \
                   END \
             ORDER BY a.last_failed_at \
             LIMIT 1000 \
             FOR UPDATE OF a SKIP LOCKED)",
        &[FEW_FAILURES.into()],
        |_| Ok(()),
    );
}
