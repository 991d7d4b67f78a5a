//! A run in the caller's transaction, each step in a subtransaction.

use super::report::Row;
use super::runner::{Ground, SETTINGS};
use crate::codeverify::owner::{as_owner, set_for_now};
use crate::codeverify::subtransaction::try_to;

/// The caller's transaction, and what was reported in it.
#[derive(Default)]
pub struct Here {
    pub rows: Vec<Row>,
}

impl Ground for Here {
    fn enclose<T>(&mut self, _subject: &str, work: impl FnOnce() -> T) -> Result<T, String> {
        try_to(|| {
            as_owner(|| {
                for (name, value) in SETTINGS {
                    // SAFETY: as_owner() has opened a level, which ends with it.
                    unsafe { set_for_now(name, value) };
                }
                work()
            })
        })
        .map_err(|error| {
            if error.is_interruption() {
                error.rethrow();
            }
            error.message().to_owned()
        })
    }

    fn report(&mut self, row: Row) {
        self.rows.push(row);
    }
}
