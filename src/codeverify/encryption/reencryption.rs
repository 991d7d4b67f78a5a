//! Brings all secrets under the first key of the file, so that the others can be removed.

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::{PgLogLevel, PgSqlErrorCode};
use uuid::Uuid;

use super::columns::Column;
use super::keys::Keys;
use super::position::Position;
use super::{decrypt_with, encrypt_under, keys};
use crate::audits::chain::record::{append, jsonb, Subject};
use crate::codeverify::errors::Error;
use crate::codeverify::interrupts::check_for_interrupts;
use crate::codeverify::progress::{Operation, Progress};
use crate::codeverify::query::{select_one, update};
use crate::tenancy::settings;
use crate::tenancy::sql::{from_datum, to_datum};

/// Rows that are read at once, at most.
const BATCH: i64 = 500;

/// What became of the secrets that were looked at.
#[derive(Default)]
pub struct Outcome {
    pub renewed: i64,
    /// Those that no key of the file opens. They stay as they are.
    pub unreadable: i64,
    /// The last of them, when there may be others behind it.
    pub reached: Option<Position>,
}

/// Encrypts anew what is not under the first key, and returns how many secrets that were.
pub fn reencrypt() -> Result<i64, Error> {
    reencrypt_some(usize::MAX, Position::START).map(|outcome| outcome.renewed)
}

/// Looks at `most` secrets behind a position that are not under the first key, and encrypts them anew. What cannot be
/// decrypted gets a warning.
pub fn reencrypt_some(most: usize, after: Position) -> Result<Outcome, Error> {
    let keys = keys()?;
    let Some((id, _)) = keys.first() else {
        return Ok(Outcome::default());
    };
    let newest = format!("cv1:{id}:");
    let (mut total, mut left) = (Outcome::default(), most);
    for (place, column, row) in after.rest() {
        let done = renew(&keys, column, &newest, row, left)?;
        total.renewed += done.renewed;
        total.unreadable += done.unreadable;
        left -= done.looked_at();
        if done.unreadable > 0 {
            warn(column, done.unreadable);
        }
        if done.renewed > 0 {
            let subject = Subject {
                entity: Some("codeverify"),
                action: Some("secrets.reencrypted"),
                actor_id: settings::user_id(),
                ..Subject::default()
            };
            let payload = serde_json::json!({
                "column": column.name, "secrets": done.renewed, "key": id,
            });
            append(&subject, jsonb(payload));
        }
        if left == 0 {
            let row = done.last;
            total.reached = Some(Position { place, row });
            break;
        }
    }
    Ok(total)
}

/// What became of those of a column.
struct Done {
    renewed: i64,
    unreadable: i64,
    last: Uuid,
}

impl Done {
    fn looked_at(&self) -> usize {
        usize::try_from(self.renewed + self.unreadable).unwrap_or(usize::MAX)
    }
}

fn renew(
    keys: &Keys,
    column: &'static Column,
    newest: &str,
    after: Uuid,
    most: usize,
) -> Result<Done, Error> {
    let total = select_one::<i64>(column.count, &[newest.into()]).unwrap_or(0);
    let mut progress = Progress::start(
        Operation::Reencrypt(column),
        usize::try_from(total).unwrap_or(0),
    );
    let mut done = Done {
        renewed: 0,
        unreadable: 0,
        last: after,
    };
    while done.looked_at() < most {
        let room = most - done.looked_at();
        let limit = i64::try_from(room).map_or(BATCH, |room| room.min(BATCH));
        let rows = batch(column, newest, done.last, limit);
        let Some((end, _)) = rows.last() else {
            break;
        };
        done.last = *end;
        for (row, stored) in &rows {
            check_for_interrupts();
            match decrypt_with(keys, column, *row, stored) {
                Ok(secret) => {
                    let text = encrypt_under(keys, column, *row, &secret)?;
                    update(column.update, &[to_datum(*row).into(), text.into()], |_| {
                        Ok(())
                    });
                    done.renewed += 1;
                }
                Err(_) => done.unreadable += 1,
            }
        }
        progress.advance(rows.len());
    }
    Ok(done)
}

fn batch(column: &'static Column, newest: &str, last: Uuid, limit: i64) -> Vec<(Uuid, String)> {
    update(
        column.select,
        &[newest.into(), to_datum(last).into(), limit.into()],
        |rows| {
            let mut found = Vec::new();
            for row in rows {
                if let (Some(id), Some(stored)) = (row.get::<pgrx::Uuid>(1)?, row.get(2)?) {
                    found.push((from_datum(id), stored));
                }
            }
            Ok(found)
        },
    )
}

fn warn(column: &'static Column, failed: i64) {
    ErrorReport::new(
        PgSqlErrorCode::ERRCODE_WARNING,
        format!("{failed} secrets of {} cannot be decrypted", column.name),
        "codeverify",
    )
    .set_detail("No key of the file opens them.")
    .set_hint("Put the key that encrypted them back into the file and call codeverify.reencrypt() again, or let them be made anew.")
    .report(PgLogLevel::WARNING);
}
