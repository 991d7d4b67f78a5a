//! Notices when the catalogs change what they say of tables about which something is kept in mind.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;

use pgrx::pg_sys;
use pgrx::pg_sys::Datum;

thread_local! {
    static GENERATION: Cell<u64> = const { Cell::new(0) };
    static IS_WATCHING: Cell<bool> = const { Cell::new(false) };
    /// The tables that are remembered, so that the temporary tables of others make nothing forgotten.
    static WATCHED: RefCell<HashSet<pg_sys::Oid>> = RefCell::default();
}

/// What was kept in mind at another generation may not hold any more.
pub fn generation() -> u64 {
    GENERATION.get()
}

/// From now on a change to the table is another generation. To be called before the catalogs are read.
pub fn watch(table: pg_sys::Oid) {
    if !IS_WATCHING.replace(true) {
        // SAFETY: registered once for the life of the process, with a function that never fails.
        unsafe { pg_sys::CacheRegisterRelcacheCallback(Some(forget), Datum::null()) };
    }
    WATCHED.with_borrow_mut(|watched| watched.insert(table));
}

/// Called in the middle of anything, so it only counts.
unsafe extern "C-unwind" fn forget(_argument: Datum, relation: pg_sys::Oid) {
    let concerns_us = relation == pg_sys::InvalidOid
        || WATCHED.with(|watched| {
            watched
                .try_borrow()
                .map_or(true, |watched| watched.contains(&relation))
        });
    if concerns_us {
        GENERATION.set(GENERATION.get().wrapping_add(1));
    }
}
