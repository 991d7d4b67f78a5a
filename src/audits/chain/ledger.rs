//! Where the ledger's rows are, and what the last of a lane is.

use std::ffi::CStr;

use pgrx::pg_sys;
use uuid::Uuid;

use super::held::{Head, Ledger};
use super::probe::{find_last, has_index, Key, Open, Row};
use crate::audits::encoding::{parse_hash, Hash};
use crate::codeverify::errors::Error;
use crate::codeverify::raise::raise;

/// The columns of audit_log's index by place.
const PLACE: &[&CStr] = &[c"org_id", c"lane", c"seq"];
const LANE: &[&CStr] = &[c"org_id", c"lane"];
const ID: &[&CStr] = &[c"id"];

/// Microseconds from 1970 to 2000, where PostgreSQL counts from.
pub const POSTGRES_EPOCH: i64 = 946_684_800_000_000;

/// An entry that is in the table.
pub struct Stored {
    pub head: Head,
    pub prev_hash: Hash,
}

/// The table audits.audit_log.
pub fn audit_log() -> pg_sys::Oid {
    relation(c"audits", c"audit_log")
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
pub fn find_head(ledger: Ledger, lane: i32) -> Option<Head> {
    // The lock stays until the transaction ends, as that of any INSERT: no partition leaves meanwhile.
    let log = Open::table(audit_log(), pg_sys::RowExclusiveLock);
    let found = search_partitions(&log, &[Key::Uuid(ledger), Key::Int4(lane)]);
    log.keep_lock();
    match found {
        Some(stored) => Some(stored.head),
        None => find_archived_head(ledger, lane),
    }
}

/// One entry by its place; None when it is not in the table.
pub fn find_entry(ledger: Ledger, lane: i32, seq: i64) -> Option<Stored> {
    let log = Open::table(audit_log(), pg_sys::RowExclusiveLock);
    search_partitions(&log, &[Key::Uuid(ledger), Key::Int4(lane), Key::Int8(seq)])
}

/// Whether the table audits.lanes has the lane.
pub fn is_registered(ledger: Ledger, lane: i32) -> bool {
    let lanes = Open::table(relation(c"audits", c"lanes"), pg_sys::AccessShareLock);
    let keys = [Key::Uuid(ledger), Key::Int4(lane)];
    find_last(&lanes, LANE, &keys, |_| ()).is_some()
}

/// The end of what has left the table for an archive.
pub fn find_archived_head(ledger: Ledger, lane: i32) -> Option<Head> {
    let lanes = Open::table(relation(c"audits", c"lanes"), pg_sys::AccessShareLock);
    let keys = [Key::Uuid(ledger), Key::Int4(lane)];
    find_last(&lanes, LANE, &keys, |row| {
        let [seq, signature, ts] = columns(
            &lanes,
            [c"archived_seq", c"archived_signature", c"archived_ts"],
        );
        read_head(row, seq, signature, ts)
    })
    .flatten()
}

/// Whether there is such an organization.
pub fn organization_exists(id: Uuid) -> bool {
    exists(relation(c"tenancy", c"organizations"), id)
}

/// Whether there is such a user.
pub fn user_exists(id: Uuid) -> bool {
    exists(relation(c"auth", c"users"), id)
}

fn exists(table: pg_sys::Oid, id: Uuid) -> bool {
    let table = Open::table(table, pg_sys::AccessShareLock);
    find_last(&table, ID, &[Key::Uuid(Some(id))], |_| ()).is_some()
}

/// The last matching entry of a partitioned table: the newest partition that has one, since time goes
/// on within a lane, or the DEFAULT, which may hold any time.
fn search_partitions(table: &Open, keys: &[Key]) -> Option<Stored> {
    // SAFETY: the table is open; the descriptor lives as long.
    let partitions: Vec<(pg_sys::Oid, bool)> = unsafe {
        let descriptor = &*pg_sys::RelationGetPartitionDesc(table.relation, false);
        (0..descriptor.nparts as usize)
            .map(|place| (*descriptor.oids.add(place), *descriptor.is_leaf.add(place)))
            .collect()
    };
    // In the order of their bounds, the DEFAULT last.
    let has_default = unsafe { has_default_partition(table.relation) };
    let mut best: Option<Stored> = None;
    for (place, (oid, is_leaf)) in partitions.iter().rev().enumerate() {
        let partition = Open::table(*oid, pg_sys::AccessShareLock);
        let found = if *is_leaf {
            search_leaf(&partition, keys)
        } else {
            search_partitions(&partition, keys)
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

/// # Safety
/// `table` is an open partitioned table.
unsafe fn has_default_partition(table: pg_sys::Relation) -> bool {
    // SAFETY: as promised; a table without partitions has no bounds.
    unsafe {
        let bounds = (*pg_sys::RelationGetPartitionDesc(table, false)).boundinfo;
        !bounds.is_null() && (*bounds).default_index >= 0
    }
}

fn search_leaf(partition: &Open, keys: &[Key]) -> Option<Stored> {
    if partition.is_empty() {
        return None;
    }
    if !has_index(partition, PLACE) {
        raise(Error::NoLaneIndex);
    }
    find_last(partition, PLACE, keys, |row| {
        let [seq, signature, ts, prev_hash] =
            columns(partition, [c"seq", c"signature", c"ts", c"prev_hash"]);
        let head = read_head(row, seq, signature, ts);
        let prev_hash = row.get(prev_hash).and_then(read_hash);
        head.zip(prev_hash)
            .map(|(head, prev_hash)| Stored { head, prev_hash })
            .unwrap_or_else(|| raise(Error::UnreadableHead))
    })
}

fn columns<const N: usize>(table: &Open, names: [&CStr; N]) -> [i16; N] {
    // SAFETY: catalog look-ups on an open table.
    names.map(|name| unsafe { pg_sys::get_attnum((*table.relation).rd_id, name.as_ptr()) })
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
