//! The lock that keeps a claim of an installation and the deliveries of it apart.

use pgrx::pg_sys;

/// Tells it from other user locks of the database; the ledger's lanes have smaller numbers.
const PURPOSE: u16 = u16::MAX - 1;

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

/// USERLOCK is a kind of lock that no SQL function takes, so that nobody can stop deliveries by holding it.
fn tag(installation: i64) -> pg_sys::LOCKTAG {
    pg_sys::LOCKTAG {
        // SAFETY: set once when the process connects.
        locktag_field1: unsafe { pg_sys::MyDatabaseId }.to_u32(),
        locktag_field2: (installation >> 32) as u32,
        locktag_field3: installation as u32,
        locktag_field4: PURPOSE,
        locktag_type: pg_sys::LockTagType::LOCKTAG_USERLOCK as u8,
        locktag_lockmethodid: pg_sys::USER_LOCKMETHOD as u8,
    }
}
