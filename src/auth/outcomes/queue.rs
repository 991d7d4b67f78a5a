//! Outcomes on their way, in shared memory.

use pgrx::pg_sys;

use super::behind::{log_record, tell, Fate};
use super::entry::Entry;
use super::log_failure;
use super::unknown;
use crate::codeverify::shared_memory::queue::Queue;
use crate::codeverify::time;
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
        unknown::count_dropped(database, 1);
        log_failure(entry, "the queue of outcomes is full");
    }
}

/// Writes what waits.
pub fn flush_outcomes(round: &mut Round) -> Option<Batch> {
    let waiting = OUTCOMES.collect(round.database, round.outcomes_seen, BATCH);
    if waiting.is_empty() {
        return None;
    }
    let mut more = waiting.len() == BATCH;
    let busy_before = round.busy_ledgers();
    let mut told = Vec::with_capacity(waiting.len());
    let mut dropped = 0;
    for record in waiting {
        round.outcomes_seen = record.sequence;
        match tell_record(round, &record.bytes) {
            Fate::Settled => told.push(record),
            Fate::Dropped => {
                dropped += 1;
                told.push(record);
            }
            Fate::Left => {}
        }
        // Lanes of other ledgers are not held any longer than that takes.
        if round.busy_ledgers() > busy_before {
            more = true;
            break;
        }
    }
    let database = round.database;
    Some(Batch {
        settle: Box::new(move || {
            OUTCOMES.release(&told);
            unknown::count_dropped(database, dropped);
        }),
        more,
    })
}

fn tell_record(round: &mut Round, record: &[u8]) -> Fate {
    match serde_json::from_slice::<Entry>(record) {
        Ok(entry) => {
            let waited = time::now() - entry.at;
            tell(round, &[entry], waited)
        }
        Err(error) => {
            let what = format!("dropped an outcome that could not be read: {error}");
            log_record(&String::from_utf8_lossy(record), &what);
            Fate::Settled
        }
    }
}
