//! The lock that the runner of a database holds: there is one at a time.

use pgrx::pg_sys;

/// Tells it from other user locks of the database; the ledger's lanes have smaller numbers.
const PURPOSE: u16 = u16::MAX;

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

/// USERLOCK is a kind of lock that no SQL function takes, so that nobody can stop maintenance by holding it.
fn tag() -> pg_sys::LOCKTAG {
    pg_sys::LOCKTAG {
        // SAFETY: set once when the process connects.
        locktag_field1: unsafe { pg_sys::MyDatabaseId }.to_u32(),
        locktag_field2: 0,
        locktag_field3: 0,
        locktag_field4: PURPOSE,
        locktag_type: pg_sys::LockTagType::LOCKTAG_USERLOCK as u8,
        locktag_lockmethodid: pg_sys::USER_LOCKMETHOD as u8,
    }
}
