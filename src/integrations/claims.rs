//! The lock that keeps a claim of an installation and the deliveries of it apart.

use pgrx::pg_sys;

use crate::codeverify::user_lock::{self, Purpose};

/// Takes the lock of an installation, by GitHub's number, until the transaction ends. Deliveries do not wait for each
/// other, but for a claim, and a claim waits for all of them.
pub fn lock(installation: i64, for_claim: bool) {
    let mode = if for_claim {
        pg_sys::ExclusiveLock
    } else {
        pg_sys::ShareLock
    };
    // SAFETY: the tag lives during the call, which copies it; waiting can be cancelled.
    unsafe { pg_sys::LockAcquire(&tag(installation), mode as pg_sys::LOCKMODE, false, false) };
}

/// One that nobody can hold to stop deliveries.
fn tag(installation: i64) -> pg_sys::LOCKTAG {
    user_lock::tag(Purpose::Installation, installation as u64)
}
