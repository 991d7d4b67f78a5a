//! What a session has told the ledger of lately, so that what happens again and again does not fill it.

use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::Hash;

use super::time;

const MINUTE: i64 = 60 * 1_000_000;

/// How many are kept in mind. Of a session that has more than this to tell at once, more is told.
const MOST: usize = 256;

/// When each was last told of. Not in a table: a caller who rolls back would make it forgotten.
pub struct Told<K>(RefCell<HashMap<K, i64>>);

impl<K> Default for Told<K> {
    fn default() -> Self {
        Told(RefCell::default())
    }
}

impl<K: Eq + Hash> Told<K> {
    /// Whether the session has told of it within the last minute.
    pub fn is_recent(&self, what: &K) -> bool {
        self.was_recent(what, time::now())
    }

    /// The session has told of it now.
    pub fn remember(&self, what: K) {
        self.remember_at(what, time::now());
    }

    /// Whether the session has told of it within the last minute; if not, it does now.
    pub fn was_told(&self, what: K) -> bool {
        let is_recent = self.is_recent(&what);
        if !is_recent {
            self.remember(what);
        }
        is_recent
    }

    /// A clock that was set back makes nothing recent for longer.
    fn was_recent(&self, what: &K, now: i64) -> bool {
        let since = now.saturating_sub(MINUTE);
        let told = self.0.borrow();
        told.get(what).is_some_and(|at| (since..=now).contains(at))
    }

    fn remember_at(&self, what: K, now: i64) {
        let mut told = self.0.borrow_mut();
        if told.len() >= MOST {
            told.clear();
        }
        told.insert(what, now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_told_again_after_a_minute() {
        let told = Told::default();
        assert!(!told.was_recent(&"refused", 0));
        told.remember_at("refused", 0);
        assert!(told.was_recent(&"refused", 0));
        assert!(told.was_recent(&"refused", MINUTE));
        assert!(!told.was_recent(&"refused", MINUTE + 1));
        assert!(!told.was_recent(&"accepted", 0));
        assert!(!told.was_recent(&"refused", -1), "the clock was set back");
    }

    #[test]
    fn it_takes_no_more_memory_than_that() {
        let told = Told::default();
        for what in 0..10_000 {
            told.remember_at(what, 0);
            assert!(told.was_recent(&what, 0));
        }
        assert!(told.0.borrow().len() <= MOST);
    }
}
