//! Outcomes on their way, in shared memory.

use pgrx::pg_sys;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::{PgLogLevel, PgSqlErrorCode};

use super::entry::Entry;
use super::unknown;
use super::{log_failure, writing};
use crate::codeverify::shared_memory::queue::Queue;
use crate::codeverify::subtransaction::attempt;
use crate::codeverify::worker::step::{Batch, Round};

/// An entry's JSON, at most.
const MOST_BYTES: usize = 1_008;

/// Entries that wait, of all databases: a megabyte.
const CAPACITY: usize = 1_024;

/// Entries that are written in one transaction.
const BATCH: usize = 128;

/// What waits to be written.
pub static OUTCOMES: Queue<MOST_BYTES> = Queue::new(|| CAPACITY);

/// Hands an entry to the writer.
pub(super) fn push(entry: &Entry) {
    // SAFETY: set once when the session starts.
    let database = unsafe { pg_sys::MyDatabaseId }.to_u32();
    if OUTCOMES
        .push(database, &entry.to_bytes(MOST_BYTES))
        .is_err()
    {
        unknown::count_dropped(database);
        log_failure(entry, "the queue of outcomes is full");
    }
}

/// Writes what waits.
pub fn flush_outcomes(round: &mut Round) -> Option<Batch> {
    let waiting = OUTCOMES.collect(round.database, BATCH);
    if waiting.is_empty() {
        return None;
    }
    for record in &waiting {
        // One that cannot be written must not stop those behind it.
        let written = serde_json::from_slice::<Entry>(&record.bytes)
            .map_err(|error| error.to_string())
            .and_then(|entry| attempt(|| writing::write(&entry, true)));
        if let Err(problem) = written {
            ErrorReport::new(
                PgSqlErrorCode::ERRCODE_SUCCESSFUL_COMPLETION,
                format!("codeverify dropped an outcome that could not be written: {problem}"),
                "flush_outcomes",
            )
            .set_detail(String::from_utf8_lossy(&record.bytes).into_owned())
            .report(PgLogLevel::LOG_SERVER_ONLY);
        }
    }
    let more = waiting.len() == BATCH;
    Some(Batch {
        settle: Box::new(move || OUTCOMES.release(&waiting)),
        more,
    })
}
