//! Counts what is too much to be told one by one: tokens that belong to nobody, and outcomes that there was no
//! room for. They are told at most once a minute, with their number: by database where the library is preloaded,
//! elsewhere by session, together with the next that is counted.

use std::cell::{Cell, RefCell};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use pgrx::pg_sys;

use super::entry::Entry;
use super::{record_elsewhere, writing, Unknown};
use crate::codeverify::settings;
use crate::codeverify::shared_memory;
use crate::codeverify::shared_memory::slots::{Key, Value};
use crate::codeverify::shared_memory::table::Table;
use crate::codeverify::time::now;
use crate::codeverify::worker::step::{Batch, Round};

/// In microseconds.
const MINUTE: i64 = 60_000_000;

/// One for each kind of token, and one for what was dropped.
const KINDS: usize = Unknown::ALL.len() + 1;
const DROPPED: usize = KINDS - 1;

/// Databases that can count at the same time.
const DATABASES: usize = 1_024;

/// What was counted and not told yet.
pub static COUNTS: Table<Counts> = Table::new(|| DATABASES);

/// Of one database.
pub struct Counts {
    numbers: [AtomicU64; KINDS],
    /// In microseconds since 2000, as rounds count them.
    told_at: AtomicI64,
}

// SAFETY: atomic numbers.
unsafe impl Value for Counts {
    fn clear(&self) {
        for number in &self.numbers {
            number.store(0, Ordering::Relaxed);
        }
        self.told_at.store(0, Ordering::Relaxed);
    }
}

fn key(database: u32) -> Key {
    Key { database, id: 0 }
}

/// Whether something may be told again.
fn is_due(told_at: i64, now: i64) -> bool {
    // A clock that was set back must not silence it.
    !(0..MINUTE).contains(&now.saturating_sub(told_at))
}

/// Counts a token.
pub fn count(what: Unknown) {
    if shared_memory::is_available() && settings::own_transactions() {
        // SAFETY: set once when the session starts.
        let database = unsafe { pg_sys::MyDatabaseId }.to_u32();
        add(database, what as usize, 1);
    } else {
        count_in_session(what);
    }
}

/// Counts outcomes that there was no room for.
pub fn count_dropped(database: u32, number: usize) {
    if number > 0 {
        add(database, DROPPED, number);
    }
}

fn add(database: u32, kind: usize, number: usize) {
    // Where too many databases count at once there is nowhere to count, and the writer is behind anyway.
    let _ = COUNTS.with_or_insert(
        key(database),
        |_| (),
        |counts| {
            counts.numbers[kind].fetch_add(number as u64, Ordering::Relaxed);
            counts.changed();
        },
    );
}

/// Numbers by kind, and when they were last told.
type Counted = ([u64; KINDS], i64);

impl Counts {
    fn read(&self) -> Counted {
        let numbers = std::array::from_fn(|kind| self.numbers[kind].load(Ordering::Relaxed));
        (numbers, self.told_at.load(Ordering::Relaxed))
    }

    /// Notes that numbers were told.
    fn settle(&self, told: &[u64; KINDS], at: i64) {
        self.told_at.store(at, Ordering::Relaxed);
        for (number, told) in self.numbers.iter().zip(told) {
            number.fetch_sub(*told, Ordering::Relaxed);
        }
    }
}

/// Tells how many tokens belonged to nobody, and how many outcomes there was no room for.
pub fn flush_unknown(round: &mut Round) -> Option<Batch> {
    let (database, at) = (round.database, round.now);
    let counted = COUNTS.collect(database, 1, Counts::read).pop()?;
    let (numbers, told_at) = counted.value;
    if !round.is_last && !is_due(told_at, at) {
        round.again_at(told_at + MINUTE);
        return None;
    }
    for entry in entries(&numbers, now()) {
        writing::write(&entry, true);
    }
    Some(Batch {
        settle: Box::new(move || {
            COUNTS.with(key(database), |counts| counts.settle(&numbers, at));
            COUNTS.settle(database, [(counted.id, counted.version)]);
        }),
        more: false,
    })
}

fn entries(numbers: &[u64; KINDS], at: i64) -> Vec<Entry> {
    let unknown = Unknown::ALL
        .into_iter()
        .zip(numbers)
        .filter(|(_, count)| **count > 0)
        .map(|(what, count)| Entry::of_unknown(what, *count, at));
    let dropped = Some(numbers[DROPPED])
        .filter(|count| *count > 0)
        .map(|count| Entry::of_dropped(count, at));
    unknown.chain(dropped).collect()
}

thread_local! {
    static SESSION: RefCell<[u64; KINDS]> = const { RefCell::new([0; KINDS]) };
    static TOLD_AT: Cell<i64> = const { Cell::new(0) };
}

fn count_in_session(what: Unknown) {
    let now = now();
    SESSION.with_borrow_mut(|counts| counts[what as usize] += 1);
    if !is_due(TOLD_AT.get(), now) {
        return;
    }
    TOLD_AT.set(now);
    for entry in entries(&SESSION.take(), now) {
        record_elsewhere(&entry);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn once_a_minute() {
        assert!(is_due(0, 1_800_000_000_000_000));
        assert!(!is_due(5, 5));
        assert!(!is_due(5, 4 + MINUTE));
        assert!(is_due(5, 5 + MINUTE));
        assert!(is_due(5, 4), "after the clock went back");
    }

    #[test]
    fn every_kind_has_its_number_and_its_entry() {
        for (number, what) in Unknown::ALL.into_iter().enumerate() {
            assert_eq!(what as usize, number);
        }
        let entries = entries(&std::array::from_fn(|kind| kind as u64), 7);
        assert_eq!(entries.len(), KINDS - 1, "nothing is said of what was not");
        assert_eq!(entries[0].details["count"], 1);
        assert_eq!(entries[0].details["token"], "session");
        assert_eq!(entries[KINDS - 2].action, "outcomes.dropped");
        assert!(entries.iter().all(|entry| !entry.succeeded));
    }
}
