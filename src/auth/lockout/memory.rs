//! Failures in shared memory, where the library is preloaded. The writer brings them into the tables.

use std::cell::Cell;
use std::sync::atomic::{AtomicI32, AtomicI64, AtomicU32, AtomicU64, Ordering};

use pgrx::pg_sys;
use uuid::Uuid;

use super::policy::Record;
use super::request::{Step, Subjects};
use super::rows;
use super::subject::{Kind, Subject};
use crate::codeverify::owner::as_owner;
use crate::codeverify::shared_memory::slots::{Full, Key, Value};
use crate::codeverify::shared_memory::table::{Entry, Table};
use crate::codeverify::time;
use crate::codeverify::worker::step::{Batch, Round};

/// Accounts and addresses that are kept at the same time: a megabyte. Others make room when they are written.
const CAPACITY: usize = 8_192;

/// Subjects that are written in one transaction.
const BATCH: usize = 256;

/// How often a record is loaded from the table before there is said to be no room for it.
const LOADS: usize = 16;

/// In microseconds.
const HOUR: i64 = 3_600_000_000;

/// How long an attempt is left alone: most end well before that, and need not be written twice. Above READ
/// COMMITTED, a session could not log in whose user's row was changed after its snapshot.
const REST: i64 = 2_000_000;

/// How long until a user's row is tried again that somebody else is changing.
const RETRY: i64 = 5_000_000;

/// What is known of accounts and addresses.
pub static ATTEMPTS: Table<Attempts> = Table::new(|| CAPACITY);

/// Of one account or address. Changed under the table's exclusive lock only.
pub struct Attempts {
    is_address: AtomicU32,
    failures: AtomicI32,
    last_failed_at: AtomicI64,
    /// 0 for none.
    locked_until: AtomicI64,
    hash: [AtomicU64; 4],
    /// Whose account it is; 0 for one that has no user.
    owner: [AtomicU64; 2],
    /// Whether the owner's row shows it.
    is_shown: AtomicU32,
}

// SAFETY: atomic numbers.
unsafe impl Value for Attempts {
    fn clear(&self) {
        self.is_address.store(0, Ordering::Relaxed);
        self.is_shown.store(0, Ordering::Relaxed);
        self.set_record(&Record::default());
        for number in self.hash.iter().chain(&self.owner) {
            number.store(0, Ordering::Relaxed);
        }
    }
}

impl Attempts {
    fn record(&self) -> Record {
        Record {
            failures: self.failures.load(Ordering::Relaxed),
            last_failed_at: self.last_failed_at.load(Ordering::Relaxed),
            locked_until: Some(self.locked_until.load(Ordering::Relaxed)).filter(|at| *at != 0),
        }
    }

    fn set_record(&self, record: &Record) {
        self.failures.store(record.failures, Ordering::Relaxed);
        self.last_failed_at
            .store(record.last_failed_at, Ordering::Relaxed);
        self.locked_until
            .store(record.locked_until.unwrap_or(0), Ordering::Relaxed);
    }

    fn set_subject(&self, subject: &Subject) {
        let is_address = subject.kind == Kind::IpAddress;
        self.is_address
            .store(u32::from(is_address), Ordering::Relaxed);
        for (number, bytes) in self.hash.iter().zip(subject.hash.as_chunks::<8>().0) {
            number.store(u64::from_be_bytes(*bytes), Ordering::Relaxed);
        }
    }

    fn owner(&self) -> Option<Uuid> {
        let [high, low] = &self.owner;
        let id = Uuid::from_u64_pair(high.load(Ordering::Relaxed), low.load(Ordering::Relaxed));
        Some(id).filter(|id| !id.is_nil())
    }

    fn set_owner(&self, owner: Uuid) {
        let (high, low) = owner.as_u64_pair();
        self.owner[0].store(high, Ordering::Relaxed);
        self.owner[1].store(low, Ordering::Relaxed);
    }

    fn read(&self) -> Changes {
        let mut hash = [0; 32];
        for (bytes, number) in hash.as_chunks_mut::<8>().0.iter_mut().zip(&self.hash) {
            *bytes = number.load(Ordering::Relaxed).to_be_bytes();
        }
        let kind = if self.is_address.load(Ordering::Relaxed) == 0 {
            Kind::Account
        } else {
            Kind::IpAddress
        };
        let owner = self.owner();
        Changes {
            subject: Subject { kind, hash },
            record: self.record(),
            owner,
            shown_in: owner.filter(|_| self.is_shown.load(Ordering::Relaxed) != 0),
        }
    }
}

/// What is to be written of a slot.
struct Changes {
    subject: Subject,
    record: Record,
    owner: Option<Uuid>,
    /// The user whose row is to show it.
    shown_in: Option<Uuid>,
}

/// Takes a step; the caller is told until when there is a lock. Full where there is no room to count.
pub fn take(step: Step, subjects: &Subjects) -> Result<Result<(), i64>, Full> {
    let now = time::now();
    // The two are locked one after the other. An address that is counted for an attempt which its account
    // refuses is taken back, so that others may see it counted for a moment.
    if let Some((subject, rule)) = subjects
        .ip_address
        .as_ref()
        .filter(|_| step != Step::Unlock)
    {
        let taken = work_on(subject, None, |record| step.take(now, (record, rule), None))?;
        if taken.is_err() {
            return Ok(taken);
        }
    }
    let taken = work_on(&subjects.account, Some(subjects), |record| {
        step.take(now, (record, &subjects.account_rule), None)
    });
    if let (Step::Begin, Err(_) | Ok(Err(_)), Some((subject, rule))) =
        (step, &taken, &subjects.ip_address)
    {
        work_on(subject, None, |record| record.withdraw(rule))?;
    }
    taken
}

/// Changes the record of an account, whose user is among `subjects`, or of an address.
fn work_on<R>(
    subject: &Subject,
    subjects: Option<&Subjects>,
    work: impl Fn(&mut Record) -> R,
) -> Result<R, Full> {
    let on_slot = |slot: &Entry<Attempts>| {
        let before = slot.record();
        let mut record = before;
        let result = work(&mut record);
        let owner = subjects.and_then(|subjects| subjects.owner);
        let is_new_owner = owner.is_some() && owner != slot.owner();
        if let Some(owner) = owner {
            slot.set_owner(owner);
        }
        if subjects.is_some_and(|subjects| subjects.user_id.is_some()) {
            slot.is_shown.store(1, Ordering::Relaxed);
        }
        if record != before || is_new_owner {
            slot.set_record(&record);
            slot.changed();
        }
        result
    };
    let key = key(subject);
    // A slot can be taken from the subject while its record is being loaded, after attempts that were counted in it
    // meanwhile: then it is loaded again, but not for ever.
    for _ in 0..LOADS {
        if let Some(result) = ATTEMPTS.with_alone(key, on_slot) {
            return Ok(result);
        }
        let evictions = ATTEMPTS.evictions();
        let stored = as_owner(|| rows::load(subject)).unwrap_or_default();
        let mut result = None;
        ATTEMPTS.with_or_insert_since(
            key,
            evictions,
            |fresh| {
                fresh.set_subject(subject);
                fresh.set_record(&stored.record);
                if let Some(owner) = stored.owner {
                    fresh.set_owner(owner);
                }
            },
            |slot| result = Some(on_slot(slot)),
        )?;
        if let Some(result) = result {
            return Ok(result);
        }
    }
    Err(Full)
}

fn key(subject: &Subject) -> Key {
    let mut id = [0; 16];
    id.copy_from_slice(&subject.hash[..16]);
    Key {
        // SAFETY: set once when the session starts.
        database: unsafe { pg_sys::MyDatabaseId }.to_u32(),
        id: u128::from_be_bytes(id),
    }
}

thread_local! {
    static FORGOT_AT: Cell<i64> = const { Cell::new(0) };
}

/// Writes what has changed.
pub fn flush(round: &mut Round) -> Option<Batch> {
    let database = round.database;
    let now = time::now();
    let mut changed = ATTEMPTS.collect(database, BATCH, Attempts::read);
    let more = changed.len() == BATCH;
    if !round.is_last {
        changed.retain(|one| {
            let rests_until = one.value.record.last_failed_at.saturating_add(REST);
            let rests = (now..=now + REST).contains(&rests_until);
            if rests {
                round.again_at(round.now + REST);
            }
            !rests
        });
    }
    if changed.is_empty() {
        return None;
    }
    let mut written = Vec::with_capacity(changed.len());
    for one in &changed {
        let Changes {
            subject,
            record,
            owner,
            shown_in,
        } = &one.value;
        rows::store(subject, record, *owner);
        if shown_in.is_none_or(|user_id| rows::show(user_id, record)) {
            written.push((one.id, one.version));
        } else {
            round.again_at(round.now + RETRY);
        }
    }
    if now.saturating_sub(FORGOT_AT.get()) > HOUR {
        FORGOT_AT.set(now);
        rows::forget_old();
    }
    // Where nothing could be settled, the same would be collected again at once.
    let more = more && !written.is_empty();
    Some(Batch {
        settle: Box::new(move || ATTEMPTS.settle(database, written)),
        more,
    })
}
