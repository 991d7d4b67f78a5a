//! Tells the ledger from the writer, where one organization must not keep those of the others waiting.

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::{PgLogLevel, PgSqlErrorCode};

use super::entry::Entry;
use super::writing;
use crate::codeverify::subtransaction::{attempt, Failure};
use crate::codeverify::worker::step::Round;
use crate::codeverify::worker::RETRY;

/// For how long a busy ledger is tried, in microseconds.
const PATIENCE: i64 = 60_000_000;

/// What became of entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// They are written, as far as they ever can be.
    Settled,
    /// Their ledger is busy: they are to be told another time.
    Left,
    /// There was no ledger to write them to for too long.
    Dropped,
}

/// Whether what has waited for so long waits no more. A clock that was set back must not make it wait for ever.
pub fn is_overdue(waited: i64) -> bool {
    !(0..PATIENCE).contains(&waited)
}

/// Writes entries of one ledger, all or none, in the writer's transaction. Where somebody holds the ledger, they are
/// left for a later round; those that have `waited` for long, or would be lost now, go to the platform's ledger.
pub fn tell(round: &mut Round, entries: &[Entry], waited: i64) -> Fate {
    let Some(ledger) = entries.first().map(|entry| entry.org_id) else {
        return Fate::Settled;
    };
    if let Some(fate) = try_to_write(round, entries) {
        return fate;
    }
    if !round.is_last && !is_overdue(waited) {
        round.again_at(round.now + RETRY);
        return Fate::Left;
    }
    let moved: Vec<Entry> = entries.iter().map(Entry::moved).collect();
    if ledger.is_some() {
        if let Some(fate) = try_to_write(round, &moved) {
            log(
                entries,
                "wrote an outcome to the platform's ledger, since its own was busy",
            );
            return fate;
        }
    }
    log(entries, "dropped an outcome, since the ledgers were busy");
    Fate::Dropped
}

/// None where somebody holds their ledger.
fn try_to_write(round: &mut Round, entries: &[Entry]) -> Option<Fate> {
    let ledger = entries.first()?.org_id;
    if round.is_busy(ledger) {
        return None;
    }
    let written = attempt(|| {
        for entry in entries {
            writing::write(entry, true);
        }
    });
    match written {
        Ok(()) => Some(Fate::Settled),
        Err(Failure::Busy) => {
            round.note_busy(ledger);
            None
        }
        // What cannot be written must not stop what is behind it.
        Err(Failure::Failed(problem)) => {
            let what = format!("dropped an outcome that could not be written: {problem}");
            log(entries, &what);
            Some(Fate::Settled)
        }
    }
}

fn log(entries: &[Entry], what: &str) {
    for entry in entries {
        log_record(&serde_json::to_string(entry).unwrap_or_default(), what);
    }
}

/// Tells the server's log, and nobody else, what became of an entry.
pub fn log_record(record: &str, what: &str) {
    ErrorReport::new(
        PgSqlErrorCode::ERRCODE_SUCCESSFUL_COMPLETION,
        format!("codeverify {what}"),
        "flush_outcomes",
    )
    .set_detail(record)
    .report(PgLogLevel::LOG_SERVER_ONLY);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_is_waited() {
        assert!(!is_overdue(0));
        assert!(!is_overdue(PATIENCE - 1));
        assert!(is_overdue(PATIENCE));
        assert!(is_overdue(-1), "after the clock went back");
    }
}
