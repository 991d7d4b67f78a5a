//! Whether times rise from entry to entry, however the entries come.

use std::cell::Cell;

/// How many runs of consecutive entries a process tells apart at a time, in all tallies together: 8 MB of them. Mostly
/// a lane is one run; parallel workers, who share a table in small pieces, see it in many.
pub const MOST_RUNS: usize = 1 << 18;

thread_local! {
    pub static RUNS: Cell<usize> = const { Cell::new(0) };
}

/// Whether times rise from entry to entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Times {
    Rise,
    Fall,
    Unknown,
}

/// Consecutive entries whose times rise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Run {
    pub first_seq: i64,
    pub last_seq: i64,
    pub first_ts: i64,
    pub last_ts: i64,
}

/// What is known of the times of a lane's entries.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Runs {
    /// Some entry is not later than the one before it.
    pub falls: bool,
    /// Entries came in too many pieces to compare all neighbours' times.
    pub scattered: bool,
    /// In the order of their places, neighbours joined.
    pub runs: Vec<Run>,
}

impl Drop for Runs {
    fn drop(&mut self) {
        self.forget_runs();
    }
}

impl Runs {
    /// Adds what another process has seen.
    pub fn join(&mut self, other: &Runs) {
        self.falls |= other.falls;
        if other.scattered {
            self.scatter();
        }
        for run in &other.runs {
            self.add(*run);
        }
    }

    /// Adds entries that come after, before or between those that there are.
    pub fn add(&mut self, run: Run) {
        if self.scattered {
            return;
        }
        let runs = &self.runs;
        let place = match runs.last() {
            Some(last) if last.last_seq < run.first_seq => runs.len(),
            _ => runs.partition_point(|known| known.last_seq < run.first_seq),
        };
        let before = place.checked_sub(1).map(|place| runs[place]);
        let after = runs.get(place).copied();
        let follows = before.is_some_and(|before| before.last_seq.wrapping_add(1) == run.first_seq);
        let precedes = after.is_some_and(|after| run.last_seq.wrapping_add(1) == after.first_seq);
        if let (true, Some(before)) = (follows, before) {
            self.falls |= run.first_ts <= before.last_ts;
        }
        if let (true, Some(after)) = (precedes, after) {
            self.falls |= after.first_ts <= run.last_ts;
        }
        match (follows, precedes) {
            (true, true) => {
                let after = self.runs.remove(place);
                RUNS.set(RUNS.get() - 1);
                let before = &mut self.runs[place - 1];
                (before.last_seq, before.last_ts) = (after.last_seq, after.last_ts);
            }
            (true, false) => {
                let before = &mut self.runs[place - 1];
                (before.last_seq, before.last_ts) = (run.last_seq, run.last_ts);
            }
            (false, true) => {
                let after = &mut self.runs[place];
                (after.first_seq, after.first_ts) = (run.first_seq, run.first_ts);
            }
            (false, false) if RUNS.get() >= MOST_RUNS => self.scatter(),
            (false, false) => {
                self.runs.insert(place, run);
                RUNS.set(RUNS.get() + 1);
            }
        }
    }

    /// Gives up comparing times.
    fn scatter(&mut self) {
        self.scattered = true;
        self.forget_runs();
    }

    fn forget_runs(&mut self) {
        RUNS.set(RUNS.get() - self.runs.len());
        self.runs = Vec::new();
    }

    pub fn times(&self) -> Times {
        match (self.falls, self.scattered) {
            (true, _) => Times::Fall,
            (false, true) => Times::Unknown,
            (false, false) => Times::Rise,
        }
    }
}
