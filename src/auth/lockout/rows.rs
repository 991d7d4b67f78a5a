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

/// From so many on, the failures of an account are never forgotten; fewer are, after 30 days.
const FEW_FAILURES: i32 = 5;

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
pub fn load(subject: &Subject) -> Option<Record> {
    select_latest(
        "SELECT failures, last_failed_at, locked_until \
         FROM auth.login_attempts WHERE subject_hash = $1",
        &[hex::encode(subject.hash).into()],
        |rows| {
            let row = rows.first()?;
            Some(record(row.get(1), row.get(2), row.get(3)))
        },
    )
}

fn record(
    failures: Option<i32>,
    last_failed_at: Option<TimestampWithTimeZone>,
    locked_until: Option<TimestampWithTimeZone>,
) -> Record {
    Record {
        failures: failures.unwrap_or(0),
        last_failed_at: last_failed_at.map_or(0, time::from_datum),
        locked_until: locked_until.map(time::from_datum),
    }
}

/// As `load`, but keeps others from it until the transaction ends.
pub fn lock(subject: &Subject) -> Record {
    let hash = hex::encode(subject.hash);
    update(
        "INSERT INTO auth.login_attempts (subject_hash, kind) VALUES ($1, $2) \
         ON CONFLICT (subject_hash) DO NOTHING",
        &[hash.as_str().into(), subject.kind.name().into()],
        |_| Ok(()),
    );
    update(
        "SELECT failures, last_failed_at, locked_until \
         FROM auth.login_attempts WHERE subject_hash = $1 FOR NO KEY UPDATE",
        &[hash.into()],
        |rows| {
            if rows.is_empty() {
                return Ok(Record::default());
            }
            let row = rows.first();
            Ok(record(row.get(1)?, row.get(2)?, row.get(3)?))
        },
    )
}

fn time_or_null(time: Option<i64>) -> DatumWithOid<'static> {
    time.map_or(
        DatumWithOid::null_oid(pgrx::pg_sys::TIMESTAMPTZOID),
        time::to_datum,
    )
}

pub fn store(subject: &Subject, record: &Record) {
    update(
        "INSERT INTO auth.login_attempts AS a \
             (subject_hash, kind, failures, last_failed_at, locked_until) \
         VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (subject_hash) DO UPDATE \
         SET failures = excluded.failures, \
             last_failed_at = excluded.last_failed_at, \
             locked_until = excluded.locked_until",
        &[
            hex::encode(subject.hash).into(),
            subject.kind.name().into(),
            record.failures.into(),
            time::to_datum(record.last_failed_at),
            time_or_null(record.locked_until),
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
             SELECT subject_hash FROM auth.login_attempts \
             WHERE last_failed_at < pg_catalog.clock_timestamp() - interval '1 day' \
               AND coalesce(locked_until <= pg_catalog.clock_timestamp(), true) \
               AND (kind = 'ip_address' OR failures = 0 \
                    OR (failures < $1 \
                        AND last_failed_at < pg_catalog.clock_timestamp() - interval '30 days')) \
             ORDER BY last_failed_at \
             LIMIT 1000 \
             FOR UPDATE SKIP LOCKED)",
        &[FEW_FAILURES.into()],
        |_| Ok(()),
    );
}
