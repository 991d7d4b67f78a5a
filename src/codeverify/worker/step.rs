//! What a writer does.

use std::collections::HashSet;

use crate::audits::chain::held::Ledger;
use crate::auth::{lockout, outcomes, rate_limits};

/// One pass over everything of a database that waits to be written.
pub struct Round {
    pub database: u32,
    /// Microseconds since 2000.
    pub now: i64,
    /// Whether the server is going down: what else would wait is written now.
    pub is_last: bool,
    later: Option<i64>,
    /// Up to where the round has gone through the queue of outcomes.
    pub outcomes_seen: u64,
    /// Ledgers that could not be written to.
    busy: HashSet<Ledger>,
}

impl Round {
    pub fn new(database: u32, now: i64, is_last: bool) -> Round {
        Round {
            database,
            now,
            is_last,
            later: None,
            outcomes_seen: 0,
            busy: HashSet::new(),
        }
    }

    /// Asks for another round at a time, though nothing may have changed until then.
    pub fn again_at(&mut self, time: i64) {
        self.later = Some(self.later.map_or(time, |earlier| earlier.min(time)));
    }

    /// Notes that others hold a ledger: the round waits for each once.
    pub fn note_busy(&mut self, ledger: Ledger) {
        self.busy.insert(ledger);
    }

    pub fn is_busy(&self, ledger: Ledger) -> bool {
        self.busy.contains(&ledger)
    }

    /// How many ledgers the round has waited for in vain.
    pub fn busy_ledgers(&self) -> usize {
        self.busy.len()
    }

    /// The earliest time that was asked for.
    pub fn later(&self) -> Option<i64> {
        self.later
    }
}

/// Writes what has changed of a database since it was last settled: a batch of it, at most.
///
/// It runs in a transaction of its own, as codeverify_owner, with a short lock_timeout. None when there is
/// nothing to write. If it ends in an error, nothing is settled, the writer goes on with the other steps, and
/// tries again later.
pub type Step = fn(&mut Round) -> Option<Batch>;

/// A batch that was written.
pub struct Batch {
    /// What to do once it is committed: `settle` or `release` it.
    pub settle: Box<dyn FnOnce()>,
    /// Whether there may be more, so that the step is to be called again at once.
    pub more: bool,
}

/// Everything that is flushed, under the name that errors are reported with.
pub const STEPS: &[(&str, Step)] = &[
    ("rate limits", rate_limits::flush::flush_buckets),
    ("uses of API keys", rate_limits::flush::report_uses),
    ("failed log-ins", lockout::flush),
    ("outcomes", outcomes::flush_outcomes),
    ("counts of unknown tokens", outcomes::flush_unknown),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_ledger_is_known_for_the_round() {
        let mut round = Round::new(1, 0, false);
        assert!(!round.is_busy(None));
        round.note_busy(None);
        round.note_busy(None);
        assert!(round.is_busy(None) && !round.is_busy(Some(uuid::Uuid::max())));
        assert_eq!(round.busy_ledgers(), 1);
    }

    #[test]
    fn the_earliest_time_counts() {
        let mut round = Round::new(1, 0, false);
        assert_eq!(round.later(), None);
        round.again_at(9);
        round.again_at(3);
        round.again_at(5);
        assert_eq!(round.later(), Some(3));
    }
}
