//! Looks rows up by index as they are committed now, not as the transaction's snapshot has them.
//!
//! A snapshot of REPEATABLE READ is too old to see a lane's last entry, or that a key was revoked, and reading
//! with it under SERIALIZABLE would take predicate locks and so cause failures that the caller has no part in.
//! SnapshotSelf does neither. It may miss a row that is just being updated: `find_last` is for rows that nobody
//! updates, such as those of the ledger, and `find_updated` for all others.

mod remembered;

use std::ffi::CStr;

pub use remembered::{oid_of, Remembered};

use pgrx::pg_sys;
use uuid::Uuid;

/// How rows are told to be there.
#[derive(Clone, Copy)]
enum Reading {
    /// What is committed when the scan comes to it, and what this transaction has done.
    Committed,
    /// What was committed when the scan began. The scan itself reads every version (SnapshotAny), which takes no
    /// predicate locks either.
    Latest,
}

/// What an index column must be equal to.
#[derive(Clone, Copy)]
pub enum Key<'a> {
    Uuid(Option<Uuid>),
    Text(&'a str),
    Int4(i32),
    Int8(i64),
    /// That number or more.
    AtLeast(i64),
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
    relation: pg_sys::Relation,
    lock: pg_sys::LOCKMODE,
}

/// A table that is open and locked.
#[derive(Clone, Copy)]
pub struct Table(pg_sys::Relation);

impl Open {
    /// Opens a table and locks it until dropped.
    pub fn with_lock(oid: pg_sys::Oid, lock: u32) -> Open {
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

    /// The table, which must not outlive this.
    pub fn table(&self) -> Table {
        Table(self.relation)
    }
}

impl Table {
    /// # Safety
    /// `relation` is open and locked for as long as the value is used.
    pub unsafe fn new(relation: pg_sys::Relation) -> Table {
        Table(relation)
    }

    pub fn oid(self) -> pg_sys::Oid {
        // SAFETY: the relation is open.
        unsafe { (*self.0).rd_id }
    }

    /// Whether no row was ever stored in it.
    pub fn is_empty(self) -> bool {
        // SAFETY: the relation is open.
        unsafe {
            pg_sys::RelationGetNumberOfBlocksInFork(self.0, pg_sys::ForkNumber::MAIN_FORKNUM) == 0
        }
    }

    /// How many rows this transaction has inserted into it, rolled back ones not counted; None when the
    /// server does not count (track_counts is off).
    pub fn rows_inserted(self) -> Option<i64> {
        // SAFETY: the relation is open; its count, where there is one, is the server's own.
        unsafe {
            if !(*self.0).pgstat_enabled {
                return None;
            }
            let counts = (*self.0).pgstat_info;
            if counts.is_null() {
                return Table::rows_inserted_into(self.oid());
            }
            Some(sum_inserted(counts))
        }
    }

    /// The same for a table that need not be open.
    pub fn rows_inserted_into(oid: pg_sys::Oid) -> Option<i64> {
        // SAFETY: a look-up in this backend's counts; without any, no row was inserted.
        unsafe {
            let counts = pg_sys::find_tabstat_entry(oid);
            Some(if counts.is_null() {
                0
            } else {
                sum_inserted(counts)
            })
        }
    }

    /// # Safety
    /// The slot holds a row of the table with its page pinned; the snapshot is registered.
    unsafe fn shows(self, slot: *mut pg_sys::TupleTableSlot, snapshot: pg_sys::Snapshot) -> bool {
        // SAFETY: as promised; every table access method has the function.
        unsafe {
            (*(*self.0).rd_tableam)
                .tuple_satisfies_snapshot
                .is_some_and(|satisfies| satisfies(self.0, slot, snapshot))
        }
    }

    /// The number of a column.
    pub fn column(self, name: &CStr) -> i16 {
        // SAFETY: a catalog look-up on an open table.
        unsafe { pg_sys::get_attnum(self.oid(), name.as_ptr()) }
    }

    /// The partitions in the order of their bounds, each with whether it has none of its own; the DEFAULT is
    /// the last. And whether there is a DEFAULT.
    pub fn partitions(self) -> (Vec<(pg_sys::Oid, bool)>, bool) {
        // SAFETY: the table is open and partitioned; its descriptor lives as long.
        unsafe {
            let descriptor = &*pg_sys::RelationGetPartitionDesc(self.0, false);
            let partitions = (0..descriptor.nparts as usize)
                .map(|place| (*descriptor.oids.add(place), *descriptor.is_leaf.add(place)))
                .collect();
            let bounds = descriptor.boundinfo;
            (
                partitions,
                !bounds.is_null() && (*bounds).default_index >= 0,
            )
        }
    }

    /// Whether two times, as they are stored, belong to the same partition of a table that is partitioned by ranges of
    /// a timestamptz.
    pub fn is_same_partition(self, one: i64, other: i64) -> bool {
        // SAFETY: the table is open and partitioned. A range has one bound of one column at each place, and one
        // partition more than there are bounds.
        unsafe {
            let bounds = (*pg_sys::RelationGetPartitionDesc(self.0, false)).boundinfo;
            if bounds.is_null() {
                return true;
            }
            let is_before = |place: usize, time: i64| match **(*bounds).kind.add(place) {
                pg_sys::PartitionRangeDatumKind::PARTITION_RANGE_DATUM_MINVALUE => true,
                pg_sys::PartitionRangeDatumKind::PARTITION_RANGE_DATUM_MAXVALUE => false,
                _ => (**(*bounds).datums.add(place)).value() as i64 <= time,
            };
            let partition = |time: i64| {
                let places = 0..(*bounds).ndatums as usize;
                let before = places.take_while(|place| is_before(*place, time)).count();
                *(*bounds).indexes.add(before)
            };
            partition(one) == partition(other)
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

/// An index, and the columns of its table that it begins with.
#[derive(Clone, Copy, Debug)]
pub struct Path<const N: usize> {
    index: pg_sys::Oid,
    columns: [i16; N],
}

impl<const N: usize> Path<N> {
    /// A valid btree over all rows of the table that begins with the columns.
    pub fn find(table: Table, names: [&CStr; N]) -> Option<Path<N>> {
        let columns = names.map(|name| table.column(name));
        // SAFETY: the relation is open; the list and the index descriptors are the relation cache's own.
        unsafe {
            let indexes = pg_sys::RelationGetIndexList(table.0);
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
                    && (*(*relation).rd_rel).relam == pg_sys::BTREE_AM_OID
                    && pg_sys::RelationGetIndexPredicate(relation).is_null()
                    && keys.starts_with(&columns);
                pg_sys::index_close(relation, pg_sys::AccessShareLock as i32);
                fits.then_some(index)
            });
            pg_sys::list_free(indexes);
            found.map(|index| Path { index, columns })
        }
    }

    /// The last row, in the order of the index, whose first columns have these values; `read` takes from it. For
    /// tables whose rows are never updated: of one that is being updated, the scan may miss both versions.
    pub fn find_last<R>(
        &self,
        table: Table,
        keys: &[Key],
        read: impl FnOnce(&Row) -> R,
    ) -> Option<R> {
        self.read_row(table, keys, Reading::Committed, read)
    }

    /// A row whose first columns have these values, though others may be updating it. What the running command
    /// has made itself is found too.
    pub fn find_updated<R>(
        &self,
        table: Table,
        keys: &[Key],
        read: impl Fn(&Row) -> R,
    ) -> Option<R> {
        self.read_row(table, keys, Reading::Committed, &read)
            .or_else(|| self.read_row(table, keys, Reading::Latest, &read))
    }

    fn read_row<R>(
        &self,
        table: Table,
        keys: &[Key],
        snapshot: Reading,
        read: impl FnOnce(&Row) -> R,
    ) -> Option<R> {
        let mut uuids = [[0u8; 16]; N];
        let mut texts = [std::ptr::null_mut::<pg_sys::text>(); N];
        let mut scan_keys = [pg_sys::ScanKeyData::default(); N];
        for (place, key) in keys.iter().enumerate() {
            let scan_key = &mut scan_keys[place];
            let column = self.columns[place];
            // SAFETY: fills in a live key; the uuid or text that it points to lives until the scan's end.
            unsafe {
                match key {
                    Key::Uuid(None) => pg_sys::ScanKeyEntryInitialize(
                        scan_key,
                        (pg_sys::SK_ISNULL | pg_sys::SK_SEARCHNULL) as i32,
                        column,
                        0,
                        pg_sys::InvalidOid,
                        pg_sys::InvalidOid,
                        pg_sys::InvalidOid,
                        pg_sys::Datum::null(),
                    ),
                    Key::Uuid(Some(uuid)) => {
                        uuids[place] = *uuid.as_bytes();
                        let value = pg_sys::Datum::from(uuids[place].as_ptr());
                        equal(scan_key, column, pg_sys::F_UUID_EQ, value);
                    }
                    Key::Text(text) => {
                        texts[place] = pg_sys::cstring_to_text_with_len(
                            text.as_ptr().cast(),
                            text.len() as i32,
                        );
                        let value = pg_sys::Datum::from(texts[place]);
                        equal(scan_key, column, pg_sys::F_TEXTEQ, value);
                    }
                    Key::Int4(number) => {
                        equal(
                            scan_key,
                            column,
                            pg_sys::F_INT4EQ,
                            pg_sys::Datum::from(*number),
                        );
                    }
                    Key::Int8(number) => {
                        equal(
                            scan_key,
                            column,
                            pg_sys::F_INT8EQ,
                            pg_sys::Datum::from(*number),
                        );
                    }
                    Key::AtLeast(number) => pg_sys::ScanKeyInit(
                        scan_key,
                        column,
                        pg_sys::BTGreaterEqualStrategyNumber as u16,
                        pg_sys::Oid::from(pg_sys::F_INT8GE),
                        pg_sys::Datum::from(*number),
                    ),
                }
            }
        }
        // SAFETY: table and index are open and locked during the scan, the keys live as long.
        let found = unsafe { self.scan(table, &mut scan_keys[..keys.len()], snapshot, read) };
        for text in texts.into_iter().filter(|text| !text.is_null()) {
            // SAFETY: allocated above, and the scan is over.
            unsafe { pg_sys::pfree(text.cast()) };
        }
        found
    }

    /// # Safety
    /// The keys fit the index, and what they point to lives until the call returns.
    unsafe fn scan<R>(
        &self,
        table: Table,
        keys: &mut [pg_sys::ScanKeyData],
        snapshot: Reading,
        read: impl FnOnce(&Row) -> R,
    ) -> Option<R> {
        // SAFETY: as promised by the caller; the slot is that of the scan's last tuple.
        unsafe {
            let latest = match snapshot {
                Reading::Committed => std::ptr::null_mut(),
                Reading::Latest => pg_sys::RegisterSnapshot(pg_sys::GetLatestSnapshot()),
            };
            let index = pg_sys::index_open(self.index, pg_sys::AccessShareLock as i32);
            // Texts lie in the index in the order of its collation, and are found by no other.
            for (place, key) in keys.iter_mut().enumerate() {
                key.sk_collation = *(*index).rd_indcollation.add(place);
            }
            let scan = pg_sys::systable_beginscan_ordered(
                table.0,
                index,
                match snapshot {
                    Reading::Committed => std::ptr::addr_of_mut!(pg_sys::SnapshotSelfData),
                    Reading::Latest => std::ptr::addr_of_mut!(pg_sys::SnapshotAnyData),
                },
                keys.len() as i32,
                keys.as_mut_ptr(),
            );
            let tuple = loop {
                let tuple = pg_sys::systable_getnext_ordered(
                    scan,
                    pg_sys::ScanDirection::BackwardScanDirection,
                );
                if tuple.is_null() || latest.is_null() || table.shows((*scan).slot, latest) {
                    break tuple;
                }
            };
            let found = (!tuple.is_null()).then(|| {
                read(&Row {
                    tuple,
                    descriptor: (*table.0).rd_att,
                })
            });
            pg_sys::systable_endscan_ordered(scan);
            pg_sys::index_close(index, pg_sys::AccessShareLock as i32);
            if !latest.is_null() {
                pg_sys::UnregisterSnapshot(latest);
            }
            found
        }
    }
}

/// # Safety
/// `counts` are those of a relation.
unsafe fn sum_inserted(counts: *const pg_sys::PgStat_TableStatus) -> i64 {
    // SAFETY: one element for each level of savepoints, which lives until that is over.
    unsafe {
        let mut sum = 0;
        let mut level = (*counts).trans;
        while !level.is_null() {
            // A row whose insertion was given up for a conflict counts as deleted.
            sum += (*level).tuples_inserted - (*level).tuples_deleted;
            level = (*level).upper;
        }
        sum
    }
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
