//! Keys that are deleted: uses of them are not counted until a look-up has said that they are there.
//!
//! Sessions hear of it when the deletion is committed: by a mark on the key's slot where counts are in shared memory, and
//! by what the server tells all sessions of a table that was changed where they are leased. Before that, and when it is
//! rolled back, the look-up finds the key, and nothing of its count is lost.

use std::cell::RefCell;

use pgrx::pg_sys;
use uuid::Uuid;

use super::memory::{doubt, slot_key};
use crate::codeverify::index_lookup::oid_of;
use crate::codeverify::shared_memory::slots::Key;
use crate::codeverify::transaction;

thread_local! {
    /// Those that the current transaction has deleted.
    static DELETED: RefCell<Vec<Key>> = const { RefCell::new(Vec::new()) };
}

/// Has these looked up again.
pub fn recheck(api_key_ids: impl Iterator<Item = Uuid>) {
    let keys: Vec<Key> = api_key_ids.map(slot_key).collect();
    if keys.is_empty() {
        return;
    }
    let table = oid_of(c"auth", c"api_keys");
    if table != pg_sys::InvalidOid {
        // SAFETY: the table is locked by the statement that deletes from it; the server sends it with the commit.
        unsafe { pg_sys::CacheInvalidateRelcacheByRelid(table) };
    }
    for key in &keys {
        doubt(*key);
    }
    let is_first = DELETED.with_borrow_mut(|deleted| {
        let is_first = deleted.is_empty();
        deleted.extend(keys);
        is_first
    });
    if is_first {
        transaction::at_end(doubt_deleted);
    }
}

/// Again, when others can see that they are gone.
fn doubt_deleted() {
    for key in DELETED.take() {
        doubt(key);
    }
}
