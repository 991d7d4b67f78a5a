//! The databases that have something in shared memory, and what their writers have to know.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicPtr, AtomicU32, AtomicUsize, Ordering};

use pgrx::pg_sys;

use super::lock::Locks;
use super::Region;

/// Databases of one server that can have something to be flushed at the same time.
const CAPACITY: usize = 1024;

/// The one such list.
pub static DATABASES: Databases = Databases {
    shared: AtomicPtr::new(std::ptr::null_mut()),
    locks: AtomicPtr::new(std::ptr::null_mut()),
};

pub struct Databases {
    shared: AtomicPtr<Shared>,
    locks: AtomicPtr<pg_sys::LWLockPadded>,
}

#[repr(C)]
struct Shared {
    /// Latch of the process that starts writers; 0 while there is none.
    launcher: AtomicUsize,
    /// Whether a database waits for a writer of another one to end.
    is_writer_wanted: AtomicBool,
    /// Entries up to here have been used.
    length: AtomicUsize,
    entries: [Database; CAPACITY],
}

/// One database. All of it is zero in an entry that is free.
#[repr(C)]
pub struct Database {
    oid: AtomicU32,
    /// Whether something was changed since its writer last began to flush.
    changed: AtomicU32,
    /// Flushes that failed since one went well, and flushes at all.
    failures: AtomicU32,
    flushes: AtomicU32,
    /// When something was last flushed, and when the next flush may begin: microseconds since 2000.
    flushed_at: AtomicI64,
    not_before: AtomicI64,
    /// When there is something to flush though nothing has changed; 0 for never.
    later: AtomicI64,
}

/// Longest that anything is put off, in microseconds, and a bit more than that: a minute.
const LONGEST_REST: i64 = 64_000_000;

/// A time that is further off than anything is put off was noted before the clock was set back: now instead.
fn not_too_far(time: i64, now: i64) -> i64 {
    if time > now.saturating_add(LONGEST_REST) {
        now
    } else {
        time
    }
}

impl Database {
    pub fn oid(&self) -> u32 {
        self.oid.load(Ordering::SeqCst)
    }

    pub fn is_changed(&self) -> bool {
        self.changed.load(Ordering::SeqCst) != 0
    }

    /// To be called before a flush reads anything.
    pub fn begin_flush(&self) {
        self.changed.store(0, Ordering::SeqCst);
    }

    /// A flush is complete.
    pub fn note_success(&self, now: i64, next: i64) {
        self.failures.store(0, Ordering::Relaxed);
        self.flushes.fetch_add(1, Ordering::Relaxed);
        self.flushed_at.store(now, Ordering::Relaxed);
        self.not_before.store(next, Ordering::Relaxed);
    }

    /// When there will be something to flush though nothing may have changed.
    pub fn set_later(&self, time: Option<i64>) {
        self.later.store(time.unwrap_or(0), Ordering::Relaxed);
    }

    /// A flush has failed; the next one may begin after a time that doubles from a second to a minute.
    pub fn note_failure(&self, now: i64) {
        self.flushes.fetch_add(1, Ordering::Relaxed);
        let failures = self.failures.fetch_add(1, Ordering::Relaxed);
        self.not_before.store(
            now + 1_000_000 * (1i64 << failures.min(6)).min(60),
            Ordering::Relaxed,
        );
        self.changed.store(1, Ordering::SeqCst);
    }

    /// When the next flush may begin.
    pub fn not_before(&self, now: i64) -> i64 {
        not_too_far(self.not_before.load(Ordering::Relaxed), now)
    }

    /// Whether there is, or will be, something to flush.
    pub fn has_work(&self) -> bool {
        self.is_changed() || self.later.load(Ordering::Relaxed) != 0
    }

    pub fn failures(&self) -> u32 {
        self.failures.load(Ordering::Relaxed)
    }

    pub fn flushes(&self) -> u32 {
        self.flushes.load(Ordering::Relaxed)
    }

    /// When the next flush is due, which may be past; None while there is nothing to flush.
    pub fn due_at(&self, now: i64) -> Option<i64> {
        let not_before = self.not_before(now);
        if self.is_changed() {
            return Some(not_before);
        }
        Some(self.later.load(Ordering::Relaxed))
            .filter(|later| *later != 0)
            .map(|later| not_too_far(later, now).max(not_before))
    }

    /// None before the first.
    pub fn flushed_at(&self) -> Option<i64> {
        Some(self.flushed_at.load(Ordering::Relaxed)).filter(|at| *at != 0)
    }

    fn clear(&self) {
        self.oid.store(0, Ordering::SeqCst);
        self.changed.store(0, Ordering::SeqCst);
        self.failures.store(0, Ordering::Relaxed);
        self.flushes.store(0, Ordering::Relaxed);
        self.flushed_at.store(0, Ordering::Relaxed);
        self.not_before.store(0, Ordering::Relaxed);
        self.later.store(0, Ordering::Relaxed);
    }
}

fn shared() -> Option<&'static Shared> {
    // SAFETY: null, or where place() put it: memory of that size, aligned, all of it atomic.
    unsafe { DATABASES.shared.load(Ordering::Relaxed).as_ref() }
}

fn locks() -> Locks {
    Locks::from_raw(DATABASES.locks.load(Ordering::Relaxed))
}

/// Databases that have, or had, something in shared memory.
pub fn known() -> impl Iterator<Item = &'static Database> {
    shared()
        .into_iter()
        .flat_map(|shared| &shared.entries[..shared.length.load(Ordering::Acquire)])
        .filter(|entry| entry.oid() != 0)
}

/// A database's entry.
pub fn find(oid: u32) -> Option<&'static Database> {
    known().find(|entry| entry.oid() == oid)
}

/// Makes sure that a database, the session's own, has an entry. False where there are too many.
pub fn register(oid: u32) -> bool {
    let Some(shared) = shared() else {
        return false;
    };
    // SAFETY: the list has one lock, and its callers hold none.
    let _lock = unsafe { locks().exclude(0) };
    enter(shared, oid).is_some()
}

fn enter(shared: &Shared, oid: u32) -> Option<&Database> {
    let length = shared.length.load(Ordering::Acquire);
    let used = &shared.entries[..length];
    if let Some(entry) = used.iter().find(|entry| entry.oid() == oid) {
        return Some(entry);
    }
    let is_idle = |entry: &&Database| !entry.has_work();
    let entry = match (
        used.iter().find(|entry| entry.oid() == 0),
        shared.entries.get(length),
    ) {
        (Some(free), _) => free,
        (None, Some(next)) => {
            shared.length.store(length + 1, Ordering::Release);
            next
        }
        (None, None) => used.iter().find(is_idle)?,
    };
    entry.clear();
    entry.oid.store(oid, Ordering::SeqCst);
    Some(entry)
}

/// Says that a database has something to be flushed, and wakes who sees to that.
pub fn announce(oid: u32) {
    let Some(shared) = shared() else {
        return;
    };
    let is_news = {
        // SAFETY: the list has one lock, and its callers hold none.
        let _lock = unsafe { locks().exclude(0) };
        enter(shared, oid).is_some_and(|entry| entry.changed.swap(1, Ordering::SeqCst) == 0)
    };
    if is_news {
        wake_launcher();
    }
}

/// Wakes the process that starts writers, if there is one.
pub fn wake_launcher() {
    let latch = shared().map_or(0, |shared| shared.launcher.load(Ordering::SeqCst));
    if latch != 0 {
        // SAFETY: a process's latch is in shared memory and stays valid when the process has gone.
        unsafe { pg_sys::SetLatch(latch as *mut pg_sys::Latch) };
    }
}

/// Makes this process the one that is woken, or nobody.
pub fn set_launcher(latch: *mut pg_sys::Latch) {
    if let Some(shared) = shared() {
        shared.launcher.store(latch as usize, Ordering::SeqCst);
    }
}

/// Whether there is a process that starts writers.
pub fn has_launcher() -> bool {
    shared().is_some_and(|shared| shared.launcher.load(Ordering::SeqCst) != 0)
}

/// Says whether a database waits for a writer of another one to end.
pub fn want_writer(is_wanted: bool) {
    if let Some(shared) = shared() {
        shared.is_writer_wanted.store(is_wanted, Ordering::Relaxed);
    }
}

/// Whether a database waits for a writer of another one to end.
pub fn is_writer_wanted() -> bool {
    shared().is_some_and(|shared| shared.is_writer_wanted.load(Ordering::Relaxed))
}

static IS_WRITABLE: AtomicBool = AtomicBool::new(false);

/// Whether the server is no standby, which it can only cease to be.
pub fn is_writable() -> bool {
    if !IS_WRITABLE.load(Ordering::Relaxed) {
        // SAFETY: reads the server's state.
        let is_writable = unsafe { !pg_sys::RecoveryInProgress() };
        IS_WRITABLE.store(is_writable, Ordering::Relaxed);
    }
    IS_WRITABLE.load(Ordering::Relaxed)
}

impl Region for Databases {
    fn bytes(&self) -> usize {
        size_of::<Shared>()
    }

    fn locks(&self) -> usize {
        1
    }

    unsafe fn place(&self, memory: *mut u8, locks: Locks) {
        self.locks.store(locks.raw(), Ordering::Relaxed);
        self.shared.store(memory.cast(), Ordering::Relaxed);
    }

    fn forget(&self, database: u32) {
        let Some(shared) = shared() else {
            return;
        };
        // SAFETY: the list has one lock, and its callers hold none.
        let _lock = unsafe { locks().exclude(0) };
        for entry in &shared.entries {
            if entry.oid() == database {
                entry.clear();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_set_back_stops_nothing() {
        let database = Database {
            oid: AtomicU32::new(1),
            changed: AtomicU32::new(0),
            failures: AtomicU32::new(0),
            flushes: AtomicU32::new(0),
            flushed_at: AtomicI64::new(0),
            not_before: AtomicI64::new(0),
            later: AtomicI64::new(0),
        };
        let (now, hour) = (800_000_000_000_000, 3_600_000_000);
        assert_eq!(database.due_at(now), None);
        database.note_success(now, now + 60_000_000);
        database.changed.store(1, Ordering::SeqCst);
        assert_eq!(database.due_at(now), Some(now + 60_000_000));
        assert_eq!(database.due_at(now - hour), Some(now - hour));
        database.begin_flush();
        database.set_later(Some(now + 60_000_000));
        assert!(database.has_work());
        assert_eq!(database.due_at(now - hour), Some(now - hour));
    }
}
