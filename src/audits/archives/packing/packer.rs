//! Takes the entries of a partition in order, checks them, and packs them into segments.

use pgrx::spi::Result as SpiResult;
use uuid::Uuid;

use super::{tables, LaneEnd, Partition};
use crate::audits::archives::cursor::Cursor;
use crate::audits::archives::datum::Row;
use crate::audits::archives::entry::{self, ArchivedEntry, MAX_ENTRIES};
use crate::audits::archives::payload::recomputed_hash;
use crate::audits::checkpoints::tree::Edge;
use crate::audits::encoding::{Hash, GENESIS};
use crate::codeverify::errors::Error;
use crate::codeverify::interrupts::check_for_interrupts;
use crate::codeverify::memory::in_scratch_memory;
use crate::codeverify::progress::{Operation, Progress};
use crate::codeverify::query::update;
use crate::tenancy::sql::to_datum;

/// Rows that are read at a time: few, as the payload of each may be large.
const FETCHED: i64 = 10;
/// A segment is closed when it has this much before compression: reading it again takes a small multiple.
const SEGMENT_BYTES: usize = 4 << 20;

/// What has been packed.
pub(super) struct Packed {
    pub(super) archive: Uuid,
    pub(super) entries: i64,
    pub(super) segments: i32,
    pub(super) bytes: i64,
    pub(super) root: Edge,
    pub(super) ends: Vec<LaneEnd>,
}

/// Takes entries in order, checks them, and stores them in segments.
pub(super) struct Packer<'a> {
    partition: &'a Partition,
    progress: Progress,
    waiting: Vec<ArchivedEntry>,
    waiting_bytes: usize,
    lane: Option<LaneEnd>,
    pub(super) packed: Packed,
}

impl<'a> Packer<'a> {
    pub(super) fn new(partition: &'a Partition) -> Packer<'a> {
        Packer {
            partition,
            progress: Progress::start(Operation::Archive, 0),
            waiting: Vec::new(),
            waiting_bytes: 0,
            lane: None,
            packed: Packed {
                archive: Uuid::now_v7(),
                entries: 0,
                segments: 0,
                bytes: 0,
                root: Edge::default(),
                ends: Vec::new(),
            },
        }
    }

    /// Packs the entries for which `condition` holds, in the order that is given.
    pub(super) fn pack_all(&mut self, condition: &str, order: &str) -> Result<(), Error> {
        let sql = format!(
            "SELECT org_id, lane, seq, prev_hash, signature, id, event_id, ts, entity, action, actor_id, \
                    resource_id, payload::text, ip_address, user_agent \
             FROM ONLY {} WHERE {condition} ORDER BY {order}",
            self.partition.identity
        );
        let cursor = Cursor::open(&sql, &[]);
        loop {
            let entries = cursor.fetch(FETCHED, read_entry);
            if entries.is_empty() {
                break;
            }
            for entry in entries {
                self.push(entry.ok_or_else(|| self.damaged("an entry lacks what it must have"))?)?;
            }
            check_for_interrupts();
        }
        cursor.close();
        self.flush()
    }

    fn push(&mut self, entry: ArchivedEntry) -> Result<(), Error> {
        self.check_link(&entry)?;
        let full = self.waiting.len() >= MAX_ENTRIES
            || self.waiting_bytes.saturating_add(entry.size()) > SEGMENT_BYTES;
        let other = self
            .waiting
            .last()
            .is_some_and(|last| last.org_id != entry.org_id);
        if full || other {
            self.flush()?;
        }
        self.waiting_bytes = self.waiting_bytes.saturating_add(entry.size());
        self.waiting.push(entry);
        Ok(())
    }

    /// Each entry must be the next of its lane; the first of a lane, the next after what was archived before.
    fn check_link(&mut self, entry: &ArchivedEntry) -> Result<(), Error> {
        let same = self
            .lane
            .filter(|end| (end.org_id, end.lane) == (entry.org_id, entry.lane));
        let last = match same {
            Some(last) => last,
            None => {
                self.packed.ends.extend(self.lane.take());
                self.archived_end(entry.org_id, entry.lane)?
            }
        };
        let place = |problem: &str| {
            self.damaged(&format!(
                "entry {} of lane {} of {}: {problem}",
                entry.seq,
                entry.lane,
                ledger_name(entry.org_id)
            ))
        };
        if entry.seq != last.seq + 1 {
            return Err(place(&format!("the next should be {}", last.seq + 1)));
        }
        if entry.prev_hash != last.signature {
            return Err(place("prev_hash is not the signature of the entry before"));
        }
        if entry.ts <= last.ts {
            return Err(place("ts is not later than that of the entry before"));
        }
        self.lane = Some(LaneEnd {
            org_id: entry.org_id,
            lane: entry.lane,
            seq: entry.seq,
            signature: entry.signature,
            ts: entry.ts,
        });
        Ok(())
    }

    /// Where the archived part of a lane ends.
    fn archived_end(&self, org_id: Option<Uuid>, lane: i32) -> Result<LaneEnd, Error> {
        let read = |rows: pgrx::spi::SpiTupleTable| {
            let mut rows = rows;
            if rows.next().is_none() {
                return Ok(None);
            }
            let row = Row(&rows);
            Ok(Some((
                row.int8(1)?.unwrap_or_default(),
                row.hash(2)?,
                row.time(3)?,
            )))
        };
        let known = match org_id {
            Some(org_id) => update(
                "SELECT archived_seq, archived_signature, archived_ts FROM audits.lanes \
                 WHERE org_id = $1 AND lane = $2",
                &[to_datum(org_id).into(), lane.into()],
                read,
            ),
            None => update(
                "SELECT archived_seq, archived_signature, archived_ts FROM audits.lanes \
                 WHERE org_id IS NULL AND lane = $1",
                &[lane.into()],
                read,
            ),
        };
        match known {
            // Entries that arrived from a dump, without what was known of their lanes.
            None | Some((0, _, _)) => Ok(LaneEnd {
                org_id,
                lane,
                seq: 0,
                signature: GENESIS,
                ts: i64::MIN,
            }),
            Some((seq, Some(signature), Some(ts))) => Ok(LaneEnd {
                org_id,
                lane,
                seq,
                signature,
                ts,
            }),
            Some(_) => Err(self.damaged(&format!(
                "audits.lanes does not know where the archived part of lane {lane} of {} ends",
                ledger_name(org_id)
            ))),
        }
    }

    /// Packs what is waiting, reads it back and stores it.
    fn flush(&mut self) -> Result<(), Error> {
        let entries = std::mem::take(&mut self.waiting);
        self.waiting_bytes = 0;
        let Some(first) = entries.first() else {
            return Ok(());
        };
        let org_id = first.org_id;
        let signatures: Vec<Hash> = entries.iter().map(|entry| entry.signature).collect();
        let refused =
            |problem: crate::codeverify::segment::Error| self.damaged(&problem.to_string());
        let content = entry::pack(&entries).map_err(refused)?;
        // From what is in the pack, not from what went into it: both are right, or neither leaves the table.
        let unpacked = entry::unpack(&content, &signatures).map_err(refused)?;
        if unpacked != entries {
            return Err(self.damaged("the pack does not give back what was packed"));
        }
        for entry in &unpacked {
            let recomputed = recomputed_hash(entry);
            if recomputed != Some(entry.signature) {
                return Err(self.damaged(&format!(
                    "entry {} of lane {} of {}: signature is not the hash of the entry",
                    entry.seq,
                    entry.lane,
                    ledger_name(entry.org_id)
                )));
            }
        }
        in_scratch_memory(|| tables::store(&self.packed, org_id, &entries, &signatures, &content));
        for signature in &signatures {
            self.packed.root.push(*signature);
        }
        self.packed.entries += entries.len() as i64;
        self.packed.segments += 1;
        self.packed.bytes += (content.len() + 32 * signatures.len()) as i64;
        self.progress.advance(entries.len());
        Ok(())
    }

    pub(super) fn finish(mut self) -> Result<Packed, Error> {
        self.flush()?;
        self.packed.ends.extend(self.lane.take());
        Ok(self.packed)
    }

    fn damaged(&self, problem: &str) -> Error {
        Error::PartitionDamaged {
            partition: self.partition.identity.clone(),
            problem: problem.to_owned(),
        }
    }
}

fn ledger_name(org_id: Option<Uuid>) -> String {
    org_id.map_or("the platform".to_owned(), |id| format!("organization {id}"))
}

fn read_entry(row: &Row) -> SpiResult<Option<ArchivedEntry>> {
    let (Some(lane), Some(seq), Some(prev_hash), Some(signature)) =
        (row.int4(2)?, row.int8(3)?, row.hash(4)?, row.hash(5)?)
    else {
        return Ok(None);
    };
    let (Some(id), Some(event_id), Some(ts), Some(action), Some(payload)) = (
        row.int8(6)?,
        row.uuid(7)?,
        row.time(8)?,
        row.text(10)?,
        row.text(13)?,
    ) else {
        return Ok(None);
    };
    Ok(Some(ArchivedEntry {
        org_id: row.uuid(1)?,
        lane,
        seq,
        prev_hash,
        signature,
        id,
        event_id,
        ts,
        entity: row.text(9)?,
        action,
        actor_id: row.uuid(11)?,
        resource_id: row.uuid(12)?,
        payload,
        ip_address: row.text(14)?,
        user_agent: row.text(15)?,
    }))
}
