//! What the tables know of a key, as of now.

use std::cell::Cell;
use std::ffi::CStr;
use std::ptr;

use pgrx::prelude::*;
use uuid::Uuid;

use super::minute::start_of;
use crate::codeverify::owner::as_owner;

/// A key that exists.
#[derive(Clone, Copy)]
pub struct Stored {
    pub org_id: Uuid,
    /// Uses in the minute that was asked about.
    pub count: u32,
}

const QUERY: &CStr = c"
    SELECT k.org_id, b.count
    FROM auth.api_keys AS k
    LEFT JOIN auth.api_key_rate_buckets AS b ON b.api_key_id = k.id AND b.window_start = $2
    WHERE k.id = $1";

thread_local! {
    static PLAN: Cell<pg_sys::SPIPlanPtr> = const { Cell::new(ptr::null_mut()) };
}

/// Reads what is committed by now, also in a transaction that is to see an earlier state: a count that was flushed
/// since must not begin anew.
pub fn load(api_key_id: Uuid, minute: u32) -> Option<Stored> {
    as_owner(|| {
        Spi::connect(|_| {
            let mut id = *api_key_id.as_bytes();
            let mut arguments = [
                pg_sys::Datum::from(id.as_mut_ptr()),
                pg_sys::Datum::from(start_of(minute)),
            ];
            // SAFETY: connected to SPI; a plan of these two arguments, which are alive; neither is NULL. The
            // result is read before SPI is left, which frees it.
            unsafe {
                let status = pg_sys::SPI_execute_snapshot(
                    plan(),
                    arguments.as_mut_ptr(),
                    ptr::null(),
                    pg_sys::GetLatestSnapshot(),
                    ptr::null_mut(),
                    true,
                    false,
                    1,
                );
                if status != pg_sys::SPI_OK_SELECT as i32 || pg_sys::SPI_processed == 0 {
                    return None;
                }
                let rows = pg_sys::SPI_tuptable;
                let row = *(*rows).vals;
                let column = |number| {
                    let mut is_null = false;
                    let value = pg_sys::SPI_getbinval(row, (*rows).tupdesc, number, &mut is_null);
                    (!is_null).then_some(value)
                };
                let org_id = column(1)?.cast_mut_ptr::<[u8; 16]>();
                Some(Stored {
                    org_id: Uuid::from_bytes(*org_id),
                    count: column(2)
                        .map_or(0, |count| u32::try_from(count.value() as i32).unwrap_or(0)),
                })
            }
        })
    })
}

/// The query's plan, kept for the life of the session.
///
/// # Safety
/// Connected to SPI.
unsafe fn plan() -> pg_sys::SPIPlanPtr {
    if PLAN.get().is_null() {
        let mut types = [pg_sys::UUIDOID, pg_sys::TIMESTAMPTZOID];
        // SAFETY: as promised by the caller. An error in the query is raised, so that this is a plan.
        unsafe {
            let plan = pg_sys::SPI_prepare(QUERY.as_ptr(), 2, types.as_mut_ptr());
            pg_sys::SPI_keepplan(plan);
            PLAN.set(plan);
        }
    }
    PLAN.get()
}
