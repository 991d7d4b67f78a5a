//! Locks of the kind USERLOCK, which no SQL function and no statement takes: nobody can hold one, or stand in line for
//! it, but by doing what it is for.

use pgrx::pg_sys;

/// What a lock is for, which tells it from the others of the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum Purpose {
    /// To run maintenance.
    Maintenance = u16::MAX,
    /// An installation, between a claim and deliveries.
    Installation = u16::MAX - 1,
    /// The turn of those that bring entries to the ledger.
    Arrivals = u16::MAX - 2,
    /// The extension's tables, between who works with them unasked and who removes them.
    Extension = u16::MAX - 3,
}

/// The lock on one of the things of a purpose.
pub fn tag(purpose: Purpose, thing: u64) -> pg_sys::LOCKTAG {
    numbered(purpose as u16, thing)
}

/// The lock on a lane of a ledger. Lanes have smaller numbers than purposes.
pub fn tag_of_lane(ledger: u64, lane: u8) -> pg_sys::LOCKTAG {
    numbered(lane.into(), ledger)
}

fn numbered(number: u16, thing: u64) -> pg_sys::LOCKTAG {
    pg_sys::LOCKTAG {
        // SAFETY: set once when the process connects.
        locktag_field1: unsafe { pg_sys::MyDatabaseId }.to_u32(),
        locktag_field2: (thing >> 32) as u32,
        locktag_field3: thing as u32,
        locktag_field4: number,
        locktag_type: pg_sys::LockTagType::LOCKTAG_USERLOCK as u8,
        locktag_lockmethodid: pg_sys::USER_LOCKMETHOD as u8,
    }
}
