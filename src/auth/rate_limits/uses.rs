//! Uses of API keys to authenticate, and refusals of them, in shared memory until they are told of: each key's at most
//! once a minute.

use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering};

use pgrx::pg_sys;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::memory::slot_key;
use super::settings;
use crate::codeverify::shared_memory::slots::{Key, Value};
use crate::codeverify::shared_memory::table::{Changed, Entry, Table};

/// Why a key that exists can be refused, as the ledger names it.
pub const REASONS: [&str; 6] = [
    "expired",
    "superseded",
    "revoked",
    "owner_left",
    "parent_revoked",
    "insufficient_scope",
];

/// What has been noted of each key and not been told of.
pub static USES: Table<Uses> = Table::new(settings::keys);

#[repr(C)]
pub struct Uses {
    org_high: AtomicU64,
    org_low: AtomicU64,
    /// Microseconds since 2000; 0 for never.
    last_used_at: AtomicI64,
    reported_at: AtomicI64,
    /// Since when its organization's ledger has been busy when it was to be told of; 0 for not at all.
    busy_since: AtomicI64,
    used: AtomicU32,
    refused: [AtomicU32; REASONS.len()],
}

// SAFETY: atomic numbers.
unsafe impl Value for Uses {
    fn clear(&self) {
        self.org_high.store(0, Ordering::Relaxed);
        self.org_low.store(0, Ordering::Relaxed);
        self.last_used_at.store(0, Ordering::Relaxed);
        self.reported_at.store(0, Ordering::Relaxed);
        self.busy_since.store(0, Ordering::Relaxed);
        self.used.store(0, Ordering::Relaxed);
        for refused in &self.refused {
            refused.store(0, Ordering::Relaxed);
        }
    }
}

/// What is to be told of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    pub org_id: Uuid,
    /// None where it was only refused.
    pub last_used_at: Option<i64>,
    /// Since when that has been tried in vain; 0 for not at all.
    busy_since: i64,
    pub used: u32,
    /// By reason, as in REASONS.
    pub refused: [u32; REASONS.len()],
}

/// Shortest time between two reports of a key, in microseconds.
const PAUSE: i64 = 60_000_000;

impl Uses {
    fn set_org_id(&self, org_id: Uuid) {
        let (high, low) = org_id.as_u64_pair();
        self.org_high.store(high, Ordering::Relaxed);
        self.org_low.store(low, Ordering::Relaxed);
    }

    /// When it may be told of.
    pub fn due_at(&self, now: i64) -> i64 {
        match self.reported_at.load(Ordering::Relaxed) {
            // Before the clock was set back: at once.
            last if last == 0 || last > now => 0,
            last => last + PAUSE,
        }
    }

    pub fn report(&self) -> Report {
        Report {
            org_id: Uuid::from_u64_pair(
                self.org_high.load(Ordering::Relaxed),
                self.org_low.load(Ordering::Relaxed),
            ),
            last_used_at: Some(self.last_used_at.load(Ordering::Relaxed)).filter(|at| *at != 0),
            busy_since: self.busy_since.load(Ordering::Relaxed),
            used: self.used.load(Ordering::Relaxed),
            refused: std::array::from_fn(|reason| self.refused[reason].load(Ordering::Relaxed)),
        }
    }

    /// Takes out what was told.
    pub fn settle(&self, told: &Report, now: i64) {
        self.used.fetch_sub(told.used, Ordering::Relaxed);
        for (refused, told) in self.refused.iter().zip(told.refused) {
            refused.fetch_sub(told, Ordering::Relaxed);
        }
        self.reported_at.store(now, Ordering::Relaxed);
        self.busy_since.store(0, Ordering::Relaxed);
    }

    /// Notes that it could not be told of.
    pub fn note_busy(&self, now: i64) {
        let _ = self
            .busy_since
            .compare_exchange(0, now, Ordering::Relaxed, Ordering::Relaxed);
    }
}

impl Report {
    /// For how long it has not been possible to tell of it, in microseconds.
    pub fn waits_for(&self, now: i64) -> i64 {
        match self.busy_since {
            0 => 0,
            since => now - since,
        }
    }
}

/// What was noted of a key, as a file has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Noted {
    database: u32,
    api_key_id: Uuid,
    org_id: Uuid,
    last_used_at: Option<i64>,
    used: u32,
    refused: [u32; REASONS.len()],
}

impl Noted {
    fn new(database: u32, api_key_id: Uuid, report: &Report) -> Noted {
        Noted {
            database,
            api_key_id,
            org_id: report.org_id,
            last_used_at: report.last_used_at,
            used: report.used,
            refused: report.refused,
        }
    }
}

impl Uses {
    fn add(&self, noted: &Noted) {
        self.last_used_at
            .fetch_max(noted.last_used_at.unwrap_or(0), Ordering::Relaxed);
        self.used.fetch_add(noted.used, Ordering::Relaxed);
        for (refused, number) in self.refused.iter().zip(noted.refused) {
            refused.fetch_add(number, Ordering::Relaxed);
        }
    }
}

impl Table<Uses> {
    /// Hands what is to be told of databases to `keep`, and takes it out if that has succeeded.
    pub fn hand_over<E>(
        &self,
        databases: impl Iterator<Item = u32>,
        keep: impl FnOnce(&[Noted]) -> Result<(), E>,
    ) -> Result<(), E> {
        let taken: Vec<_> = databases
            .map(|database| (database, self.collect(database, usize::MAX, Uses::report)))
            .collect();
        let noted: Vec<Noted> = taken
            .iter()
            .flat_map(|(database, changed)| {
                changed
                    .iter()
                    .map(|one| Noted::new(*database, Uuid::from_u128(one.id), &one.value))
            })
            .collect();
        if noted.is_empty() {
            return Ok(());
        }
        keep(&noted)?;
        // SAFETY: reads the clock.
        let now = unsafe { pg_sys::GetCurrentTimestamp() };
        for (database, changed) in taken {
            for Changed { id, value, .. } in &changed {
                self.with(Key { database, id: *id }, |uses| uses.settle(value, now));
            }
            self.settle(database, changed.iter().map(|one| (one.id, one.version)));
        }
        Ok(())
    }

    /// Adds what was noted before the server was started, to be told.
    pub fn note_again(&self, noted: &Noted) {
        let key = Key {
            database: noted.database,
            id: noted.api_key_id.as_u128(),
        };
        // Where there is no room it is lost.
        let _ = self.with_or_insert(
            key,
            |fresh| fresh.set_org_id(noted.org_id),
            |uses| {
                uses.add(noted);
                uses.changed();
            },
        );
    }
}

/// Notes that a key was used. False where that cannot be: nothing is preloaded, or memory has no room.
pub fn note_use(api_key_id: Uuid, org_id: Uuid) -> bool {
    // SAFETY: reads the clock.
    let now = unsafe { pg_sys::GetCurrentTimestamp() };
    note(api_key_id, org_id, |uses| {
        uses.last_used_at.store(now, Ordering::Relaxed);
        uses.used.fetch_add(1, Ordering::Relaxed);
    })
}

/// Notes that a key was refused, for one of REASONS. False where that cannot be, as for `note_use`.
pub fn note_refusal(api_key_id: Uuid, org_id: Uuid, reason: &str) -> bool {
    let Some(reason) = REASONS.iter().position(|known| *known == reason) else {
        return false;
    };
    note(api_key_id, org_id, |uses| {
        uses.refused[reason].fetch_add(1, Ordering::Relaxed);
    })
}

fn note(api_key_id: Uuid, org_id: Uuid, what: impl Fn(&Uses)) -> bool {
    let key = slot_key(api_key_id);
    let work = |uses: &Entry<Uses>| {
        what(uses);
        uses.changed();
    };
    USES.with(key, work).is_some()
        || USES
            .with_or_insert(key, |fresh| fresh.set_org_id(org_id), work)
            .is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uses() -> Uses {
        Uses {
            org_high: AtomicU64::new(0),
            org_low: AtomicU64::new(0),
            last_used_at: AtomicI64::new(0),
            reported_at: AtomicI64::new(0),
            busy_since: AtomicI64::new(0),
            used: AtomicU32::new(0),
            refused: Default::default(),
        }
    }

    #[test]
    fn what_was_noted_survives_the_journey() {
        let before = uses();
        before.set_org_id(Uuid::from_u128(9));
        before.used.store(3, Ordering::Relaxed);
        before.refused[2].store(4, Ordering::Relaxed);
        let noted = Noted::new(5, Uuid::from_u128(8), &before.report());
        let text = serde_json::to_string(&noted).expect("JSON");
        let read: Noted = serde_json::from_str(&text).expect("what was noted");
        assert_eq!(read, noted);
        let after = uses();
        after.used.store(10, Ordering::Relaxed);
        after.last_used_at.store(70, Ordering::Relaxed);
        after.add(&read);
        let report = after.report();
        assert_eq!((report.used, report.refused[2]), (13, 4));
        assert_eq!(report.last_used_at, Some(70));
    }

    #[test]
    fn what_comes_during_a_report_is_left_for_the_next() {
        let uses = uses();
        uses.set_org_id(Uuid::from_u128(9));
        uses.used.store(3, Ordering::Relaxed);
        uses.last_used_at.store(77, Ordering::Relaxed);
        let told = uses.report();
        assert_eq!(told.org_id, Uuid::from_u128(9));
        assert_eq!((told.used, told.last_used_at), (3, Some(77)));
        uses.used.fetch_add(2, Ordering::Relaxed);
        uses.refused[1].fetch_add(1, Ordering::Relaxed);
        assert_eq!(uses.due_at(50), 0, "the first is told of at once");
        uses.settle(&told, 100);
        assert_eq!(uses.due_at(100), 100 + PAUSE);
        assert_eq!(uses.due_at(99), 0, "after the clock went back");
        let left = uses.report();
        assert_eq!((left.used, left.refused), (2, [0, 1, 0, 0, 0, 0]));
        uses.note_busy(200);
        uses.note_busy(300);
        assert_eq!(uses.report().waits_for(900), 700, "since the first time");
        uses.settle(&uses.report(), 900);
        assert_eq!(uses.report().waits_for(901), 0);
        uses.clear();
        assert_eq!(uses.report().last_used_at, None);
    }
}
