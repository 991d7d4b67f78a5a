//! Whether a row that the trigger let through is in the table: ON CONFLICT DO NOTHING, or a trigger of somebody
//! else's, may have left it out after all, and the next entry must not follow one that does not exist.
//!
//! Looking it up by index for every row would cost as much as finding the lane's head. The server's own count
//! of the rows that a transaction inserted into a partition tells for next to nothing.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::ffi::c_void;

use pgrx::pg_sys;

use super::held::Landing;
use crate::codeverify::index_lookup::Table;

thread_local! {
    static LAST_ROW: Cell<u64> = const { Cell::new(0) };
    /// The last row that was expected in each partition: the count speaks of that one only.
    static LAST_EXPECTED: RefCell<HashMap<u32, u64>> = RefCell::default();
    /// Rows between the trigger and the table. More than one when an insert is made by what an insert calls.
    static IN_FLIGHT: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
}

/// A row is about to go to the partition. Called in the memory of the row, which is reset when it is done with.
pub fn expect(partition: Table) -> Landing {
    let row = LAST_ROW.get() + 1;
    LAST_ROW.set(row);
    // SAFETY: the callback lives in the context that it is of, and its argument is a number.
    unsafe {
        let callback = pg_sys::palloc(size_of::<pg_sys::MemoryContextCallback>())
            .cast::<pg_sys::MemoryContextCallback>();
        callback.write(pg_sys::MemoryContextCallback {
            func: Some(land),
            arg: row as usize as *mut c_void,
            next: std::ptr::null_mut(),
        });
        pg_sys::MemoryContextRegisterResetCallback(pg_sys::CurrentMemoryContext, callback);
    }
    IN_FLIGHT.with_borrow_mut(|rows| rows.push(row));
    LAST_EXPECTED.with_borrow_mut(|last| last.insert(partition.oid().to_u32(), row));
    Landing {
        row,
        partition: partition.oid().to_u32(),
        inserted: partition.rows_inserted(),
    }
}

unsafe extern "C-unwind" fn land(row: *mut c_void) {
    let row = row as usize as u64;
    IN_FLIGHT.with(|rows| {
        if let Ok(mut rows) = rows.try_borrow_mut() {
            rows.retain(|other| *other != row);
        }
    });
}

/// Whether the row is in the table, or on its way still. `partition` is one that is open.
pub fn is_sure(landing: Landing, partition: Table) -> bool {
    if IN_FLIGHT.with_borrow(|rows| rows.contains(&landing.row)) {
        return true;
    }
    if LAST_EXPECTED.with_borrow(|last| last.get(&landing.partition) != Some(&landing.row)) {
        return false;
    }
    let now = if partition.oid().to_u32() == landing.partition {
        partition.rows_inserted()
    } else {
        Table::rows_inserted_into(pg_sys::Oid::from(landing.partition))
    };
    landing
        .inserted
        .zip(now)
        .is_some_and(|(before, now)| now > before)
}
