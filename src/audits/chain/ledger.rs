//! Where the ledger's rows are, and what the last of a lane is.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::CStr;

use pgrx::pg_sys;
use uuid::Uuid;

use super::held::{Head, Ledger};
use crate::audits::encoding::{parse_hash, Hash};
use crate::codeverify::errors::Error;
use crate::codeverify::index_lookup::{Key, Open, Path, Row, Table};
use crate::codeverify::raise::raise;

/// Microseconds from 1970 to 2000, where PostgreSQL counts from.
pub const POSTGRES_EPOCH: i64 = 946_684_800_000_000;

/// An entry that is in the table.
pub struct Stored {
    pub head: Head,
    pub prev_hash: Hash,
}

/// How the entries of a partition are looked up.
#[derive(Clone, Copy)]
struct Leaf {
    path: Path<3>,
    seq: i16,
    signature: i16,
    ts: i16,
    prev_hash: i16,
}

/// How the rows of a table with one key are looked up.
#[derive(Clone, Copy)]
struct Parent {
    oid: pg_sys::Oid,
    path: Path<1>,
}

thread_local! {
    static AUDIT_LOG: RefCell<Option<pg_sys::Oid>> = const { RefCell::new(None) };
    static LEAVES: RefCell<HashMap<pg_sys::Oid, Leaf>> = RefCell::default();
    static PARENTS: RefCell<HashMap<&'static CStr, Parent>> = RefCell::default();
}

/// Forgets what is known of a relation, or of all. Called in the middle of anything: while something is
/// borrowed, nothing that was remembered is being relied on.
pub fn forget(relation: pg_sys::Oid) {
    let concerns = |known: pg_sys::Oid| relation == pg_sys::InvalidOid || relation == known;
    AUDIT_LOG.with(|known| {
        if let Ok(mut known) = known.try_borrow_mut() {
            *known = known.filter(|known| !concerns(*known));
        }
    });
    LEAVES.with(|known| {
        if let Ok(mut known) = known.try_borrow_mut() {
            known.retain(|oid, _| !concerns(*oid));
        }
    });
    PARENTS.with(|known| {
        if let Ok(mut known) = known.try_borrow_mut() {
            known.retain(|_, parent| !concerns(parent.oid));
        }
    });
}

/// The table audits.audit_log.
pub fn audit_log() -> pg_sys::Oid {
    if let Some(known) = AUDIT_LOG.with_borrow(|known| *known) {
        return known;
    }
    let oid = relation(c"audits", c"audit_log");
    AUDIT_LOG.with_borrow_mut(|known| *known = Some(oid));
    oid
}

fn relation(schema: &CStr, name: &CStr) -> pg_sys::Oid {
    // SAFETY: catalog look-ups by 'static names; a missing schema is an error, a missing table InvalidOid.
    unsafe {
        pg_sys::get_relname_relid(
            name.as_ptr(),
            pg_sys::get_namespace_oid(schema.as_ptr(), false),
        )
    }
}

/// The last entry of a lane as committed now, in whichever partition it is or in an archive.
/// `partition` is one that is open already. `known` is a seq that the lane has, or had: without one the look-up
/// reads an index page to its end.
pub fn find_head(partition: Table, ledger: Ledger, lane: i32, known: Option<i64>) -> Option<Head> {
    let place = [Key::Uuid(ledger), Key::Int4(lane)];
    known
        .and_then(|seq| find_last(partition, &[place[0], place[1], Key::AtLeast(seq)]))
        .or_else(|| find_last(partition, &place))
        .map(|stored| stored.head)
        .or_else(|| find_archived_head(ledger, lane))
}

/// One entry by its place; None when it is not in the table.
pub fn find_entry(partition: Table, ledger: Ledger, lane: i32, seq: i64) -> Option<Stored> {
    find_last(
        partition,
        &[Key::Uuid(ledger), Key::Int4(lane), Key::Int8(seq)],
    )
}

fn find_last(partition: Table, keys: &[Key]) -> Option<Stored> {
    // The lock stays until the transaction ends, as that of any INSERT: no partition leaves meanwhile.
    let log = Open::with_lock(audit_log(), pg_sys::RowExclusiveLock);
    let found = search_partitions(log.table(), partition, keys);
    log.keep_lock();
    found
}

/// Whether two times, in microseconds since 1970, belong to the same partition.
pub fn is_same_partition(one: i64, other: i64) -> bool {
    let [one, other] = [one, other].map(|time| time.saturating_sub(POSTGRES_EPOCH));
    let log = Open::with_lock(audit_log(), pg_sys::RowExclusiveLock);
    let is_same = log.table().is_same_partition(one, other);
    log.keep_lock();
    is_same
}

/// Whether the table audits.lanes has the lane.
pub fn is_registered(ledger: Ledger, lane: i32) -> bool {
    find_lane(ledger, lane, |_, _| ()).is_some()
}

/// The end of what has left the table for an archive.
pub fn find_archived_head(ledger: Ledger, lane: i32) -> Option<Head> {
    find_lane(ledger, lane, |table, row| {
        read_head(
            row,
            table.column(c"archived_seq"),
            table.column(c"archived_signature"),
            table.column(c"archived_ts"),
        )
    })
    .flatten()
}

fn find_lane<R>(ledger: Ledger, lane: i32, read: impl Fn(Table, &Row) -> R) -> Option<R> {
    let lanes = Open::with_lock(relation(c"audits", c"lanes"), pg_sys::AccessShareLock);
    let table = lanes.table();
    let path = Path::find(table, [c"org_id", c"lane"]).unwrap_or_else(|| raise(Error::NoLaneIndex));
    path.find_updated(table, &[Key::Uuid(ledger), Key::Int4(lane)], |row| {
        read(table, row)
    })
}

/// Whether there is such an organization.
pub fn organization_exists(id: Uuid) -> bool {
    exists(c"tenancy", c"organizations", id)
}

/// Whether there is such a user.
pub fn user_exists(id: Uuid) -> bool {
    exists(c"auth", c"users", id)
}

fn exists(schema: &'static CStr, name: &'static CStr, id: Uuid) -> bool {
    let find_known = || PARENTS.with_borrow(|parents| parents.get(name).copied());
    let oid = find_known().map_or_else(|| relation(schema, name), |parent| parent.oid);
    let open = Open::with_lock(oid, pg_sys::AccessShareLock);
    let table = open.table();
    // Only now: taking the lock is when this backend hears of changes to the table, which may have a new index.
    let path = find_known().map(|parent| parent.path).unwrap_or_else(|| {
        let path = Path::find(table, [c"id"]).unwrap_or_else(|| raise(Error::NoLaneIndex));
        PARENTS.with_borrow_mut(|parents| parents.insert(name, Parent { oid, path }));
        path
    });
    path.find_updated(table, &[Key::Uuid(Some(id))], |_| ())
        .is_some()
}

/// The last matching entry of a partitioned table: the newest partition that has one, since time goes
/// on within a lane, or the DEFAULT, which may hold any time. `open` is a partition that is open already.
fn search_partitions(table: Table, open: Table, keys: &[Key]) -> Option<Stored> {
    let (partitions, has_default) = table.partitions();
    let mut best: Option<Stored> = None;
    for (place, (oid, is_leaf)) in partitions.iter().rev().enumerate() {
        let found = if *oid == open.oid() {
            search_leaf(open, keys)
        } else {
            let partition = Open::with_lock(*oid, pg_sys::AccessShareLock);
            if *is_leaf {
                search_leaf(partition.table(), keys)
            } else {
                search_partitions(partition.table(), open, keys)
            }
        };
        let Some(found) = found else { continue };
        if best
            .as_ref()
            .is_none_or(|best| best.head.seq < found.head.seq)
        {
            best = Some(found);
        }
        if !(has_default && place == 0) {
            break;
        }
    }
    best
}

fn search_leaf(partition: Table, keys: &[Key]) -> Option<Stored> {
    if partition.is_empty() {
        return None;
    }
    let leaf = find_leaf(partition);
    leaf.path.find_last(partition, keys, |row| {
        let head = read_head(row, leaf.seq, leaf.signature, leaf.ts);
        let prev_hash = row.get(leaf.prev_hash).and_then(read_hash);
        head.zip(prev_hash)
            .map(|(head, prev_hash)| Stored { head, prev_hash })
            .unwrap_or_else(|| raise(Error::UnreadableHead))
    })
}

fn find_leaf(partition: Table) -> Leaf {
    let oid = partition.oid();
    if let Some(leaf) = LEAVES.with_borrow(|leaves| leaves.get(&oid).copied()) {
        return leaf;
    }
    let leaf = Leaf {
        path: Path::find(partition, [c"org_id", c"lane", c"seq"])
            .unwrap_or_else(|| raise(Error::NoLaneIndex)),
        seq: partition.column(c"seq"),
        signature: partition.column(c"signature"),
        ts: partition.column(c"ts"),
        prev_hash: partition.column(c"prev_hash"),
    };
    LEAVES.with_borrow_mut(|leaves| leaves.insert(oid, leaf));
    leaf
}

fn read_head(row: &Row, seq: i16, signature: i16, ts: i16) -> Option<Head> {
    Some(Head {
        seq: row.get(seq)?.value() as i64,
        signature: read_hash(row.get(signature)?)?,
        ts: (row.get(ts)?.value() as i64).saturating_add(POSTGRES_EPOCH),
    })
}

/// A hash from its 64 hexadecimal digits.
pub fn read_hash(text: pg_sys::Datum) -> Option<Hash> {
    // SAFETY: the datum is a text, of a row that is pinned or in memory.
    let bytes = unsafe {
        let text = pg_sys::pg_detoast_datum_packed(text.cast_mut_ptr());
        std::slice::from_raw_parts(
            pgrx::varlena::vardata_any(text).cast::<u8>(),
            pgrx::varlena::varsize_any_exhdr(text),
        )
    };
    parse_hash(bytes)
}
