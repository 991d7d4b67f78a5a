//! What a transaction can see.

use super::errors::Error;
use super::transaction::reads_what_is_committed;

/// Refuses REPEATABLE READ and SERIALIZABLE, whose snapshot may be older than the locks that a function takes, so
/// that it would not see what was committed before them. `code` is the SQLSTATE.
pub fn require_read_committed(function: &'static str, code: &'static str) -> Result<(), Error> {
    if reads_what_is_committed() {
        Ok(())
    } else {
        Err(Error::NeedsReadCommitted { function, code })
    }
}
