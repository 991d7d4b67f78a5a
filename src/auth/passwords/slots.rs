//! Bounds how many sessions hash a password at the same time.

use pgrx::pg_sys;

use super::settings;

/// Marks the locks of this purpose, in the place where those of the ledger's lanes have half of an
/// organization's id; those also name a database, which is never 0.
const PURPOSE: u32 = u32::from_be_bytes(*b"hash");

/// Does `work` while it holds one of the server's slots for hashing, and waits for one when all are taken. The
/// wait can be cancelled, and counts towards lock_timeout and statement_timeout.
///
/// `work` must not raise: it holds a lock that others wait for. (Should the backend die, the lock goes too.)
pub fn with_slot<T>(work: impl FnOnce() -> T) -> T {
    crate::codeverify::interrupts::check_for_interrupts();
    let _slot = Slot::take();
    work()
}

/// A lock that this backend holds until this is dropped. Who holds one waits for nothing, so it is in no
/// deadlock.
struct Slot {
    tag: pg_sys::LOCKTAG,
}

impl Slot {
    fn take() -> Slot {
        let slots = settings::max_concurrent_hashes().unsigned_abs();
        // Processes are numbered in the order they start, so that waiters spread.
        let first = std::process::id() % slots;
        (0..slots)
            .map(|step| tag((first + step) % slots))
            .find(|tag| lock(tag, false))
            .map(|tag| Slot { tag })
            .unwrap_or_else(|| {
                let tag = tag(first);
                lock(&tag, true);
                Slot { tag }
            })
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        // SAFETY: releases the lock that was taken under the same resource owner: nothing in between begins
        // or ends a subtransaction.
        unsafe {
            pg_sys::LockRelease(&self.tag, pg_sys::ExclusiveLock as pg_sys::LOCKMODE, false);
        }
    }
}

/// USERLOCK is a kind of lock that no SQL function takes, so that nobody can hold a slot without hashing.
fn tag(slot: u32) -> pg_sys::LOCKTAG {
    pg_sys::LOCKTAG {
        locktag_field1: 0,
        locktag_field2: PURPOSE,
        locktag_field3: slot,
        locktag_field4: 0,
        locktag_type: pg_sys::LockTagType::LOCKTAG_USERLOCK as u8,
        locktag_lockmethodid: pg_sys::USER_LOCKMETHOD as u8,
    }
}

/// Takes the lock of a slot; without waiting it may fail.
fn lock(tag: &pg_sys::LOCKTAG, wait: bool) -> bool {
    // SAFETY: the tag lives during the call, which copies it; waiting can be cancelled, and an error there
    // leaves no lock.
    let result = unsafe {
        pg_sys::LockAcquire(tag, pg_sys::ExclusiveLock as pg_sys::LOCKMODE, false, !wait)
    };
    result != pg_sys::LockAcquireResult::LOCKACQUIRE_NOT_AVAIL
}
