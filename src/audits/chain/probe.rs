//! Looks rows up by index as they are committed now, not as the transaction's snapshot has them.
//!
//! A snapshot of REPEATABLE READ is too old to see a lane's last entry, and reading with it under
//! SERIALIZABLE would take predicate locks and so cause failures that the caller has no part in.
//! SnapshotSelf does neither. What is read under it must not change meanwhile: the lane's lock sees to that.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::CStr;

use pgrx::pg_sys;
use uuid::Uuid;

/// What an index column must be equal to.
#[derive(Clone, Copy)]
pub enum Key {
    Uuid(Option<Uuid>),
    Int4(i32),
    Int8(i64),
}

/// A row that was found, while its page is pinned.
pub struct Row {
    tuple: pg_sys::HeapTuple,
    descriptor: pg_sys::TupleDesc,
}

impl Row {
    /// The value of a column; None for NULL.
    pub fn get(&self, column: i16) -> Option<pg_sys::Datum> {
        let mut is_null = false;
        // SAFETY: the tuple is of the relation whose descriptor this is, and pinned by the scan.
        let value = unsafe {
            pg_sys::heap_getattr(self.tuple, i32::from(column), self.descriptor, &mut is_null)
        };
        (!is_null).then_some(value)
    }
}

/// An open relation that is closed, and unlocked, when dropped.
pub struct Open {
    pub relation: pg_sys::Relation,
    lock: pg_sys::LOCKMODE,
}

impl Open {
    /// Opens a table and locks it until dropped.
    pub fn table(oid: pg_sys::Oid, lock: u32) -> Open {
        let lock = lock as pg_sys::LOCKMODE;
        Open {
            // SAFETY: raises an error when there is no such relation.
            relation: unsafe { pg_sys::table_open(oid, lock) },
            lock,
        }
    }

    /// Closes it and leaves the lock to the end of the transaction.
    pub fn keep_lock(mut self) {
        self.lock = pg_sys::NoLock as pg_sys::LOCKMODE;
    }

    /// Whether no row was ever stored in it.
    pub fn is_empty(&self) -> bool {
        // SAFETY: the relation is open.
        unsafe {
            pg_sys::RelationGetNumberOfBlocksInFork(self.relation, pg_sys::ForkNumber::MAIN_FORKNUM)
                == 0
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        // While an error unwinds, the transaction's end releases it.
        if !std::thread::panicking() {
            // SAFETY: opened with the same lock.
            unsafe { pg_sys::table_close(self.relation, self.lock) };
        }
    }
}

/// An index and the columns of its table that it begins with.
#[derive(Clone, Debug)]
struct Path {
    index: pg_sys::Oid,
    columns: Vec<i16>,
}

thread_local! {
    static PATHS: RefCell<HashMap<(pg_sys::Oid, &'static [&'static CStr]), Option<Path>>> = RefCell::new(HashMap::new());
}

/// Forgets what is known of a relation, or of all.
pub fn forget(relation: pg_sys::Oid) {
    // Called in the middle of anything: while the map is borrowed nothing in it is being relied on.
    PATHS.with(|paths| {
        if let Ok(mut paths) = paths.try_borrow_mut() {
            if relation == pg_sys::InvalidOid {
                paths.clear();
            } else {
                paths.retain(|(known, _), _| *known != relation);
            }
        }
    });
}

/// The last row, in the order of the index, whose first index columns have these values; `read` takes from it.
/// None also when the table has no such index: `has_index` tells.
pub fn find_last<R>(
    table: &Open,
    columns: &'static [&'static CStr],
    keys: &[Key],
    read: impl FnOnce(&Row) -> R,
) -> Option<R> {
    let path = find_path(table, columns)?;
    let mut uuids = [[0u8; 16]; 2];
    let mut scan_keys = [pg_sys::ScanKeyData::default(); 3];
    for (place, key) in keys.iter().enumerate() {
        let scan_key = &mut scan_keys[place];
        let column = path.columns[place];
        // SAFETY: fills in a live key; the uuid that it points to lives until the scan's end.
        unsafe {
            match key {
                Key::Uuid(None) => pg_sys::ScanKeyEntryInitialize(
                    scan_key,
                    (pg_sys::SK_ISNULL | pg_sys::SK_SEARCHNULL) as i32,
                    column,
                    0,
                    pg_sys::InvalidOid,
                    pg_sys::InvalidOid,
                    pg_sys::Oid::from(0),
                    pg_sys::Datum::null(),
                ),
                Key::Uuid(Some(uuid)) => {
                    uuids[place] = *uuid.as_bytes();
                    equal(
                        scan_key,
                        column,
                        pg_sys::F_UUID_EQ,
                        pg_sys::Datum::from(uuids[place].as_ptr()),
                    );
                }
                Key::Int4(number) => equal(
                    scan_key,
                    column,
                    pg_sys::F_INT4EQ,
                    pg_sys::Datum::from(*number),
                ),
                Key::Int8(number) => equal(
                    scan_key,
                    column,
                    pg_sys::F_INT8EQ,
                    pg_sys::Datum::from(*number),
                ),
            }
        }
    }
    // SAFETY: table and index are open and locked during the scan, the keys live as long.
    unsafe {
        let index = pg_sys::index_open(path.index, pg_sys::AccessShareLock as i32);
        let scan = pg_sys::systable_beginscan_ordered(
            table.relation,
            index,
            std::ptr::addr_of_mut!(pg_sys::SnapshotSelfData),
            keys.len() as i32,
            scan_keys.as_mut_ptr(),
        );
        let tuple =
            pg_sys::systable_getnext_ordered(scan, pg_sys::ScanDirection::BackwardScanDirection);
        let found = (!tuple.is_null()).then(|| {
            read(&Row {
                tuple,
                descriptor: (*table.relation).rd_att,
            })
        });
        pg_sys::systable_endscan_ordered(scan);
        pg_sys::index_close(index, pg_sys::AccessShareLock as i32);
        found
    }
}

/// Whether the table has a valid index that begins with the columns.
pub fn has_index(table: &Open, columns: &'static [&'static CStr]) -> bool {
    find_path(table, columns).is_some()
}

/// # Safety
/// `key` is writable; `value` fits the comparison `function`.
unsafe fn equal(key: *mut pg_sys::ScanKeyData, column: i16, function: u32, value: pg_sys::Datum) {
    // SAFETY: as promised by the caller.
    unsafe {
        pg_sys::ScanKeyInit(
            key,
            column,
            pg_sys::BTEqualStrategyNumber as u16,
            pg_sys::Oid::from(function),
            value,
        );
    }
}

fn find_path(table: &Open, columns: &'static [&'static CStr]) -> Option<Path> {
    // SAFETY: the relation is open.
    let oid = unsafe { (*table.relation).rd_id };
    if let Some(path) = PATHS.with_borrow(|paths| paths.get(&(oid, columns)).cloned()) {
        return path;
    }
    let path = look_for_path(table, columns);
    PATHS.with_borrow_mut(|paths| paths.insert((oid, columns), path.clone()));
    path
}

fn look_for_path(table: &Open, columns: &[&CStr]) -> Option<Path> {
    // SAFETY: the relation is open; the list and the index descriptors are the relation cache's own.
    unsafe {
        let oid = (*table.relation).rd_id;
        let wanted: Vec<i16> = columns
            .iter()
            .map(|name| pg_sys::get_attnum(oid, name.as_ptr()))
            .collect();
        let indexes = pg_sys::RelationGetIndexList(table.relation);
        let count = if indexes.is_null() {
            0
        } else {
            (*indexes).length
        };
        let found = (0..count).find_map(|place| {
            let index = (*(*indexes).elements.add(place as usize)).oid_value;
            let relation = pg_sys::index_open(index, pg_sys::AccessShareLock as i32);
            let form = (*relation).rd_index;
            let keys = (*form).indkey.values.as_slice((*form).indnkeyatts as usize);
            let fits = (*form).indisvalid
                && (*(*relation).rd_rel).relam == pg_sys::Oid::from(pg_sys::BTREE_AM_OID)
                && pg_sys::RelationGetIndexPredicate(relation).is_null()
                && keys.starts_with(&wanted);
            pg_sys::index_close(relation, pg_sys::AccessShareLock as i32);
            fits.then_some(index)
        });
        pg_sys::list_free(indexes);
        found.map(|index| Path {
            index,
            columns: wanted,
        })
    }
}
