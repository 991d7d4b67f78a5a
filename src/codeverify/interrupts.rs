//! Cancellation of long work.

use pgrx::pg_sys;

/// Ends the function here when the query was cancelled or timed out, or the server is going down.
pub fn check_for_interrupts() {
    pgrx::check_for_interrupts!();
}

/// Ends the session here when it was told to end, or the server is going down; a query that was cancelled goes on.
pub fn check_for_termination() {
    // SAFETY: reads a flag that the signal's handler sets.
    if unsafe { std::ptr::addr_of!(pg_sys::ProcDiePending).read_volatile() } != 0 {
        check_for_interrupts();
    }
}
