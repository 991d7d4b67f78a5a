//! What a transaction can see.

use pgrx::pg_sys;

use super::errors::Error;

/// Refuses REPEATABLE READ and SERIALIZABLE, whose snapshot may be older than the locks that a function takes, so
/// that it would not see what was committed before them. `code` is the SQLSTATE.
pub fn require_read_committed(function: &'static str, code: &'static str) -> Result<(), Error> {
    // SAFETY: reads the transaction's isolation level.
    if unsafe { pg_sys::XactIsoLevel } <= pg_sys::XACT_READ_COMMITTED as i32 {
        Ok(())
    } else {
        Err(Error::NeedsReadCommitted { function, code })
    }
}
