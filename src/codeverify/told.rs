//! What a session has told the ledger of lately, so that whoever repeats a refused attempt does not fill it.

use std::cell::RefCell;
use std::collections::HashMap;

use uuid::Uuid;

use crate::codeverify::time;

const MINUTE: i64 = 60 * 1_000_000;

/// How many are kept in mind. Of a session that is refused for more than this at once, more is told.
const MOST: usize = 256;

/// A row that an attempt was about, who was to gain by it, and why it was refused.
type Attempt = (Uuid, Option<Uuid>, &'static str);

thread_local! {
    /// When each was last told of. Not in a table: a caller who rolls back would make it forgotten.
    static TOLD: RefCell<HashMap<Attempt, i64>> = RefCell::default();
}

/// Whether the session has told of the same within the last minute; if not, it does now.
pub fn was_told(attempt: Attempt) -> bool {
    let now = time::now();
    TOLD.with_borrow_mut(|told| {
        let is_recent = |at: &i64| (now.saturating_sub(MINUTE)..=now).contains(at);
        if told.get(&attempt).is_some_and(is_recent) {
            return true;
        }
        if told.len() >= MOST {
            told.clear();
        }
        told.insert(attempt, now);
        false
    })
}
