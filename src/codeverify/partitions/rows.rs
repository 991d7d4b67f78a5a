//! Moves rows out of a DEFAULT partition as they are: below triggers, rules, policies and foreign keys, since a row
//! that changes its partition is neither deleted nor inserted. So nothing that somebody put into a table runs here.

use std::ffi::CStr;

use pgrx::pg_sys;

use super::period::Range;
use crate::codeverify::errors::Error;
use crate::codeverify::interrupts::check_for_interrupts;
use crate::codeverify::memory::in_scratch_memory;

/// Rows between two looks at whether memory is to be given back.
const BATCH: usize = 1_000;

/// The column that decides on partitions.
pub struct Key<'a> {
    pub name: &'a CStr,
    pub is_date: bool,
}

/// Moves the rows of a range of time from one table into another of the same columns, without a word to logical
/// replication: a subscriber has partitions of its own. The target's indexes are not kept and must be rebuilt.
/// Returns how many there were.
///
/// The caller has locked the source against writers, the target is new, and the source's replica identity says that
/// deletions are not published.
pub fn move_rows(
    source: pg_sys::Oid,
    target: pg_sys::Oid,
    key: &Key,
    range: Range,
) -> Result<u64, Error> {
    let lock = pg_sys::NoLock as pg_sys::LOCKMODE;
    // SAFETY: both are locked by the caller until the transaction ends; what is opened here is closed here, or by
    // the end of the transaction after an error.
    unsafe {
        let source = pg_sys::table_open(source, lock);
        let target = pg_sys::table_open(target, lock);
        let moved = move_between(source, target, key, range);
        pg_sys::table_close(target, lock);
        pg_sys::table_close(source, lock);
        // What follows sees the rows where they are now.
        pg_sys::CommandCounterIncrement();
        moved
    }
}

/// # Safety
/// Both relations are open and locked.
unsafe fn move_between(
    source: pg_sys::Relation,
    target: pg_sys::Relation,
    key: &Key,
    range: Range,
) -> Result<u64, Error> {
    // SAFETY: the descriptors live as long as the relations are open. The scan sees what was committed when it
    // began: nobody else writes, and rows that are deleted on the way stay where they are. The values of a row
    // point into its page, which is pinned until the next is asked for.
    unsafe {
        let heap =
            |relation: pg_sys::Relation| (*(*relation).rd_rel).relam == pg_sys::HEAP_TABLE_AM_OID;
        let key_column = pg_sys::get_attnum((*source).rd_id, key.name.as_ptr());
        if !heap(source) || !heap(target) || key_column == 0 {
            return Err(Error::RowsCannotMove {
                table: CStr::from_ptr((*(*source).rd_rel).relname.data.as_ptr())
                    .to_string_lossy()
                    .into_owned(),
            });
        }
        let from = (*source).rd_att;
        let into = (*target).rd_att;
        // None where both have the same columns at the same places.
        let map = pg_sys::convert_tuples_by_name(from, into);
        let natts = usize::try_from((*from).natts).unwrap_or(0);
        let mut values = vec![pg_sys::Datum::from(0); natts];
        let mut nulls = vec![false; natts];

        let snapshot = pg_sys::RegisterSnapshot(pg_sys::GetLatestSnapshot());
        let scan = pg_sys::heap_beginscan(
            source,
            snapshot,
            0,
            std::ptr::null_mut(),
            std::ptr::null_mut(),
            pg_sys::ScanOptions::SO_TYPE_SEQSCAN
                | pg_sys::ScanOptions::SO_ALLOW_STRAT
                | pg_sys::ScanOptions::SO_ALLOW_PAGEMODE,
        );
        let bulk = pg_sys::GetBulkInsertState();
        let command = pg_sys::GetCurrentCommandId(true);
        let options = (pg_sys::HEAP_INSERT_SKIP_FSM | pg_sys::HEAP_INSERT_NO_LOGICAL) as i32;
        let mut moved = 0_u64;
        let mut more = true;
        while more {
            check_for_interrupts();
            in_scratch_memory(|| {
                for _ in 0..BATCH {
                    let row =
                        pg_sys::heap_getnext(scan, pg_sys::ScanDirection::ForwardScanDirection);
                    if row.is_null() {
                        more = false;
                        return;
                    }
                    if !is_within(row, from, i32::from(key_column), key.is_date, range) {
                        continue;
                    }
                    // Put together anew, not copied: columns that were added later may have their value in the
                    // catalog only.
                    let copy = if map.is_null() {
                        pg_sys::heap_deform_tuple(
                            row,
                            from,
                            values.as_mut_ptr(),
                            nulls.as_mut_ptr(),
                        );
                        pg_sys::heap_form_tuple(into, values.as_mut_ptr(), nulls.as_mut_ptr())
                    } else {
                        pg_sys::execute_attr_map_tuple(row, map)
                    };
                    (*copy).t_tableOid = (*target).rd_id;
                    pg_sys::heap_insert(target, copy, command, options, bulk);
                    // The values above are read by now: it takes those away that are stored apart.
                    let mut place = (*row).t_self;
                    pg_sys::simple_heap_delete(source, &mut place);
                    moved += 1;
                }
            });
        }
        pg_sys::FreeBulkInsertState(bulk);
        pg_sys::heap_endscan(scan);
        pg_sys::UnregisterSnapshot(snapshot);
        Ok(moved)
    }
}

/// # Safety
/// The row is of a table with that descriptor, whose column is a date or timestamptz.
unsafe fn is_within(
    row: pg_sys::HeapTuple,
    descriptor: pg_sys::TupleDesc,
    column: i32,
    is_date: bool,
    (from, until): Range,
) -> bool {
    let mut is_null = false;
    // SAFETY: as promised by the caller.
    let value = unsafe { pg_sys::heap_getattr(row, column, descriptor, &mut is_null) };
    if is_null {
        return false;
    }
    let time = if is_date {
        super::bounds::time_of_date(value.value() as i32)
    } else {
        value.value() as i64
    };
    from <= time && time < until
}
