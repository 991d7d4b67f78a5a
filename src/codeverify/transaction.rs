//! The current transaction: what it may do, and what ends with it.

use std::cell::{Cell, RefCell};
use std::ffi::c_void;

use pgrx::pg_sys;

/// Whether it may write. A standby's never may.
pub fn can_write() -> bool {
    // SAFETY: reads a flag of the current transaction.
    unsafe { !pg_sys::XactReadOnly }
}

/// Whether each of its statements sees what was committed before, so that it can change a row that somebody else has
/// changed since it began.
pub fn reads_what_is_committed() -> bool {
    // SAFETY: reads the transaction's isolation level.
    unsafe { pg_sys::XactIsoLevel <= pg_sys::XACT_READ_COMMITTED as i32 }
}

thread_local! {
    static AT_END: RefCell<Vec<fn()>> = const { RefCell::new(Vec::new()) };
    static IS_WATCHING: Cell<bool> = const { Cell::new(false) };
}

/// Has `forget` called once, when the transaction has been committed, rolled back or prepared. It must not fail, nor
/// call into the server.
pub fn at_end(forget: fn()) {
    AT_END.with_borrow_mut(|all| all.push(forget));
    if !IS_WATCHING.replace(true) {
        // SAFETY: registered once for the life of the process, with a function that never fails.
        unsafe { pg_sys::RegisterXactCallback(Some(end), std::ptr::null_mut()) };
    }
}

unsafe extern "C-unwind" fn end(event: pg_sys::XactEvent::Type, _argument: *mut c_void) {
    use pg_sys::XactEvent::{XACT_EVENT_ABORT, XACT_EVENT_COMMIT, XACT_EVENT_PREPARE};
    if matches!(
        event,
        XACT_EVENT_COMMIT | XACT_EVENT_ABORT | XACT_EVENT_PREPARE
    ) {
        while let Some(forget) = AT_END.with_borrow_mut(Vec::pop) {
            forget();
        }
    }
}
