//! Takes the rows that were packed out of their partition, so that whoever has an older snapshot goes on seeing them,
//! and tells when nobody does any more. Below SQL: neither triggers nor row security of the table have a say in where
//! its rows are stored, and nothing of its owner's is run.

use std::ffi::{c_int, CStr};

use pgrx::pg_sys;

use crate::codeverify::errors::Error;
use crate::codeverify::interrupts::check_for_interrupts;
use crate::codeverify::memory::in_scratch_memory;
use crate::codeverify::owner::owner_for;
use crate::codeverify::query::select_one;

/// Rows between two looks for a cancellation.
const BATCH: usize = 256;

/// What is in a partition, for those who look at it from now on and for those who have looked before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowState {
    /// It has rows, or may have.
    Filled,
    /// Its first rows are deleted, and somebody may see them.
    Held,
    /// Nobody sees a row, whichever snapshot he has.
    Free,
}

impl RowState {
    pub fn as_str(self) -> &'static str {
        match self {
            RowState::Filled => "filled",
            RowState::Held => "held",
            RowState::Free => "free",
        }
    }
}

/// A table, open for as long as this is there. After an error the transaction's end closes it.
struct Table(pg_sys::Relation);

impl Table {
    fn open(table: pg_sys::Oid, lock: u32) -> Result<Table, Error> {
        // SAFETY: an open relation stays valid until it is closed, which takes the value away.
        unsafe {
            let lock = lock as pg_sys::LOCKMODE;
            let table = Table(pg_sys::table_open(table, lock));
            if (*table.0).rd_tableam == pg_sys::GetHeapamTableAmRoutine() {
                return Ok(table);
            }
            Err(Error::NotPackable {
                partition: table.name(),
                reason: "Its access method is not heap: whether somebody still sees a row that was deleted cannot be told."
                    .to_owned(),
            })
        }
    }

    fn name(&self) -> String {
        // SAFETY: the table is open; its name is a C string.
        let name = unsafe { CStr::from_ptr((*(*self.0).rd_rel).relname.data.as_ptr()) };
        name.to_string_lossy().into_owned()
    }

    /// Hands each row that a snapshot sees to `read`, with the page that it is on pinned, until that says no.
    fn scan(
        &self,
        snapshot: pg_sys::Snapshot,
        flags: pg_sys::ScanOptions::Type,
        mut read: impl FnMut(&mut pg_sys::HeapTupleData, pg_sys::Buffer) -> bool,
    ) {
        use pg_sys::ScanOptions::{SO_ALLOW_STRAT, SO_TYPE_SEQSCAN};
        // SAFETY: the table is open and a heap, whose scans are of the type that is read here; a tuple is valid until
        // the next one is asked for.
        unsafe {
            let scan = pg_sys::heap_beginscan(
                self.0,
                snapshot,
                0,
                std::ptr::null_mut(),
                std::ptr::null_mut(),
                SO_TYPE_SEQSCAN | SO_ALLOW_STRAT | flags,
            );
            for place in 1_usize.. {
                if place % BATCH == 0 {
                    check_for_interrupts();
                }
                let tuple = pg_sys::heap_getnext(scan, pg_sys::ScanDirection::ForwardScanDirection);
                if tuple.is_null() {
                    break;
                }
                let buffer = (*scan.cast::<pg_sys::HeapScanDescData>()).rs_cbuf;
                if !read(&mut *tuple, buffer) {
                    break;
                }
            }
            pg_sys::heap_endscan(scan);
        }
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        // SAFETY: opened by this; the lock stays until the transaction ends. While an error unwinds, the transaction's
        // end closes it.
        if !std::thread::panicking() {
            unsafe { pg_sys::table_close(self.0, pg_sys::NoLock as pg_sys::LOCKMODE) };
        }
    }
}

/// Deletes every row of a partition that the current snapshot sees, and says how many. Others must have been kept from
/// writing to it. Never of the ledger, whose triggers would not be asked.
pub fn delete_rows(partition: pg_sys::Oid) -> Result<u64, Error> {
    owner_for(partition)?;
    let table = Table::open(partition, pg_sys::RowExclusiveLock)?;
    let is_packable = select_one::<bool>(
        "SELECT c.relispartition \
            AND NOT EXISTS ( \
                SELECT FROM pg_catalog.pg_partition_ancestors(c.oid) AS a \
                WHERE a.relid = pg_catalog.to_regclass('audits.audit_log')) \
         FROM pg_catalog.pg_class AS c \
         WHERE c.oid = $1",
        &[partition.into()],
    );
    if is_packable != Some(true) {
        return Err(Error::NotPackable {
            partition: table.name(),
            reason: "It is no partition of a table whose rows are packed.".to_owned(),
        });
    }
    let mut deleted = 0;
    // SAFETY: an active snapshot is there while a function runs; the tuple's place outlives the call.
    unsafe {
        // Where deletions are published, it must be possible to tell which rows they are about.
        pg_sys::CheckCmdReplicaIdentity(table.0, pg_sys::CmdType::CMD_DELETE);
        table.scan(
            pg_sys::GetActiveSnapshot(),
            pg_sys::ScanOptions::SO_ALLOW_PAGEMODE,
            |tuple, _| {
                in_scratch_memory(|| pg_sys::simple_heap_delete(table.0, &mut tuple.t_self));
                deleted += 1;
                true
            },
        );
    }
    Ok(deleted)
}

/// What is in a partition. It reads no further than to the first row that somebody may see.
pub fn state_of(partition: pg_sys::Oid) -> Result<RowState, Error> {
    use pg_sys::HTSV_Result::{
        HEAPTUPLE_DEAD, HEAPTUPLE_DELETE_IN_PROGRESS, HEAPTUPLE_RECENTLY_DEAD,
    };
    let table = Table::open(partition, pg_sys::AccessShareLock)?;
    let mut state = RowState::Free;
    // SAFETY: the buffer is pinned while the tuple is read, and locked while its header is.
    unsafe {
        // By what vacuum goes: snapshots of sessions and of prepared transactions, replication slots, and what
        // standbys feed back.
        let horizon = pg_sys::GetOldestNonRemovableTransactionId(table.0);
        table.scan(&raw mut pg_sys::SnapshotAnyData, 0, |tuple, buffer| {
            pg_sys::LockBuffer(buffer, pg_sys::BUFFER_LOCK_SHARE as c_int);
            let fate = pg_sys::HeapTupleSatisfiesVacuum(tuple, horizon, buffer);
            let is_own = is_of_this_transaction(tuple);
            pg_sys::LockBuffer(buffer, pg_sys::BUFFER_LOCK_UNLOCK as c_int);
            state = match fate {
                HEAPTUPLE_DEAD => RowState::Free,
                // Nobody else has ever seen it.
                HEAPTUPLE_DELETE_IN_PROGRESS if is_own => RowState::Free,
                HEAPTUPLE_DELETE_IN_PROGRESS | HEAPTUPLE_RECENTLY_DEAD => RowState::Held,
                _ => RowState::Filled,
            };
            state == RowState::Free
        });
    }
    Ok(state)
}

/// Whether this very transaction has inserted a row.
///
/// # Safety
/// The tuple is one of a heap, on a page that is locked.
unsafe fn is_of_this_transaction(tuple: &pg_sys::HeapTupleData) -> bool {
    // SAFETY: as promised by the caller.
    unsafe {
        let header = &*tuple.t_data;
        u32::from(header.t_infomask) & pg_sys::HEAP_XMIN_COMMITTED == 0
            && pg_sys::TransactionIdIsCurrentTransactionId(header.t_choice.t_heap.t_xmin)
    }
}
