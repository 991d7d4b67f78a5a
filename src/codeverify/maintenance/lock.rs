//! The lock that the runner of a database holds: there is one at a time.

use pgrx::pg_sys;

use crate::codeverify::user_lock::{self, Purpose};

/// For how long a lock is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    TransactionEnds,
    ProcessEnds,
}

/// Takes the lock, if nobody has it.
pub fn try_to_run(until: Until) -> bool {
    // SAFETY: the tag lives during the call, which does not wait.
    let result = unsafe {
        pg_sys::LockAcquire(
            &tag(),
            pg_sys::ExclusiveLock as pg_sys::LOCKMODE,
            until == Until::ProcessEnds,
            true,
        )
    };
    result != pg_sys::LockAcquireResult::LOCKACQUIRE_NOT_AVAIL
}

/// Gives back a lock that was taken until the process ends.
pub fn release() {
    // SAFETY: a lock that this process does not have is a warning.
    unsafe { pg_sys::LockRelease(&tag(), pg_sys::ExclusiveLock as pg_sys::LOCKMODE, true) };
}

/// One that nobody can hold to stop maintenance.
fn tag() -> pg_sys::LOCKTAG {
    user_lock::tag(Purpose::Maintenance, 0)
}
