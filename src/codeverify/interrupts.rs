//! Cancellation of long work.

/// Ends the function here when the query was cancelled or timed out, or the server is going down.
pub fn check_for_interrupts() {
    pgrx::check_for_interrupts!();
}
