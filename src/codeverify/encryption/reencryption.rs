//! Brings all secrets under the first key of the file, so that the others can be removed.

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::{PgLogLevel, PgSqlErrorCode};
use uuid::Uuid;

use super::columns::{Column, COLUMNS};
use super::keys::Keys;
use super::{decrypt_with, encrypt_under, keys};
use crate::audits::chain::record::{append, jsonb, Subject};
use crate::codeverify::errors::Error;
use crate::codeverify::interrupts::check_for_interrupts;
use crate::codeverify::progress::{Operation, Progress};
use crate::codeverify::query::{select_one, update};
use crate::tenancy::settings;
use crate::tenancy::sql::{from_datum, to_datum};

/// Rows that are read at once.
const BATCH: i64 = 500;

/// Encrypts anew what is not under the first key, and returns how many secrets that were. What cannot be decrypted
/// stays as it is, with a warning: no key that is there would open it.
pub fn reencrypt() -> Result<i64, Error> {
    let keys = keys()?;
    let Some((id, _)) = keys.first() else {
        return Ok(0);
    };
    let mut done = 0;
    for column in COLUMNS {
        let (renewed, failed) = renew(&keys, column, &format!("cv1:{id}:"))?;
        done += renewed;
        if failed > 0 {
            warn(column, failed);
        }
        if renewed > 0 {
            let subject = Subject {
                entity: Some("codeverify"),
                action: Some("secrets.reencrypted"),
                actor_id: settings::user_id(),
                ..Subject::default()
            };
            let payload = serde_json::json!({
                "column": column.name, "secrets": renewed, "key": id,
            });
            append(&subject, jsonb(payload));
        }
    }
    Ok(done)
}

fn renew(keys: &Keys, column: &'static Column, newest: &str) -> Result<(i64, i64), Error> {
    let total = select_one::<i64>(column.count, &[newest.into()]).unwrap_or(0);
    let mut progress = Progress::start(
        Operation::Reencrypt(column),
        usize::try_from(total).unwrap_or(0),
    );
    let (mut renewed, mut failed) = (0, 0);
    let mut last = Uuid::nil();
    loop {
        let rows = batch(column, newest, last);
        let Some((end, _)) = rows.last() else {
            return Ok((renewed, failed));
        };
        last = *end;
        for (row, stored) in &rows {
            check_for_interrupts();
            match decrypt_with(keys, column, *row, stored) {
                Ok(secret) => {
                    let text = encrypt_under(keys, column, *row, &secret)?;
                    update(column.update, &[to_datum(*row).into(), text.into()], |_| {
                        Ok(())
                    });
                    renewed += 1;
                }
                Err(_) => failed += 1,
            }
        }
        progress.advance(rows.len());
    }
}

fn batch(column: &'static Column, newest: &str, last: Uuid) -> Vec<(Uuid, String)> {
    update(
        column.select,
        &[newest.into(), to_datum(last).into(), BATCH.into()],
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
