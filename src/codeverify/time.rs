//! Times as microseconds since 1970, UTC.

use pgrx::datum::{DatumWithOid, TimestampWithTimeZone};
use pgrx::pg_sys;

/// 2000-01-01, where PostgreSQL begins to count.
const POSTGRES_EPOCH: i64 = 946_684_800_000_000;

/// The clock's time.
pub fn now() -> i64 {
    from_stored(stored_now())
}

/// The clock's time in whole seconds.
pub fn seconds() -> i64 {
    now().div_euclid(1_000_000)
}

/// From microseconds since 2000.
pub fn from_stored(time: i64) -> i64 {
    time.saturating_add(POSTGRES_EPOCH)
}

/// To microseconds since 2000.
pub fn to_stored(time: i64) -> i64 {
    time.saturating_sub(POSTGRES_EPOCH)
}

/// The clock's time as a timestamp is stored: in microseconds since 2000.
pub fn stored_now() -> i64 {
    // SAFETY: reads the clock.
    unsafe { pg_sys::GetCurrentTimestamp() }
}

/// As the parameter of a query.
pub fn to_datum(time: i64) -> DatumWithOid<'static> {
    let datum = pg_sys::Datum::from(to_stored(time));
    // SAFETY: a timestamptz is a number of microseconds, passed by value.
    unsafe { DatumWithOid::new(datum, pg_sys::TIMESTAMPTZOID) }
}

/// As a query returns it.
pub fn from_datum(time: TimestampWithTimeZone) -> i64 {
    from_stored(time.into_inner())
}
