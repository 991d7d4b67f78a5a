//! The session that the transaction was opened with.

use std::cell::Cell;

use uuid::Uuid;

use crate::codeverify::transaction;

thread_local! {
    static CURRENT: Cell<Option<Uuid>> = const { Cell::new(None) };
}

/// None where the context is not a session's.
pub fn current() -> Option<Uuid> {
    CURRENT.get()
}

/// Until the transaction ends, as the context.
pub fn set_current(session_id: Uuid) {
    if CURRENT.replace(Some(session_id)).is_none() {
        transaction::at_end(|| CURRENT.set(None));
    }
}
