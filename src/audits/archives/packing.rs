//! Makes an archive of a partition, or nothing at all: whatever fails takes everything back.

use pgrx::datum::DatumWithOid;
use pgrx::pg_sys;
use pgrx::spi::Result as SpiResult;
use uuid::Uuid;

use super::cursor::Cursor;
use super::datum::Row;
use super::entry::{self, ArchivedEntry, Run, MAX_ENTRIES};
use super::payload::recomputed_hash;
use crate::audits::authority::{acting, Deed};
use crate::audits::checkpoints::{self, tree::Edge};
use crate::audits::encoding::{Hash, GENESIS};
use crate::codeverify::errors::Error;
use crate::codeverify::interrupts::check_for_interrupts;
use crate::codeverify::memory::in_scratch_memory;
use crate::codeverify::progress::{Operation, Progress};
use crate::codeverify::query::{run_script, update, update_one};
use crate::codeverify::snapshot::require_read_committed;
use crate::tenancy::settings;
use crate::tenancy::sql::to_datum;

/// Rows that are read at a time: few, as the payload of each may be large.
const FETCHED: i64 = 10;
/// A segment is closed when it has this much before compression: reading it again takes a small multiple.
const SEGMENT_BYTES: usize = 4 << 20;

/// A partition as the catalog has it.
struct Partition {
    /// Quoted, with its schema.
    identity: String,
    name: String,
    from: pgrx::datum::TimestampWithTimeZone,
    until: pgrx::datum::TimestampWithTimeZone,
}

/// What came of archiving.
pub struct Outcome {
    pub archive: Uuid,
    pub partition: String,
    pub entries: i64,
    pub segments: i32,
    pub bytes_before: i64,
    pub bytes_after: i64,
    pub root: Hash,
}

/// The last entry of a lane that has been packed.
#[derive(Clone, Copy)]
struct LaneEnd {
    org_id: Option<Uuid>,
    lane: i32,
    seq: i64,
    signature: Hash,
    ts: i64,
}

/// Archives a partition. To be called as codeverify_owner.
///
/// Reads of the ledger go through `update`, not `select`: each takes a snapshot of its own, later than the
/// locks before it.
pub fn archive(partition: pg_sys::Oid) -> Result<Outcome, Error> {
    require_read_committed("audits.archive_partition", "VC058")?;
    // One at a time; it keeps nobody else waiting.
    run_script("LOCK TABLE audits.archives IN SHARE ROW EXCLUSIVE MODE");
    let described = describe(partition)?;
    // Waits for transactions that have written to it and are still open. Nobody else writes to a month
    // that is over, so nobody waits for this.
    run_script(&format!(
        "LOCK TABLE ONLY {} IN SHARE MODE",
        described.identity
    ));
    let described = describe(partition)?;
    refuse_out_of_order(partition, &described)?;

    let bytes_before = update_one::<i64>("SELECT pg_total_relation_size($1)", &[partition.into()])
        .unwrap_or_default();
    let mut packer = Packer::new(&described);
    begin(&described, packer.packed.archive, bytes_before);
    // The index has organizations first and the platform's own ledger last; the archive the other way round.
    packer.pack_all("org_id IS NULL", "lane, seq")?;
    packer.pack_all("org_id IS NOT NULL", "org_id, lane, seq")?;
    let packed = packer.finish()?;

    checkpoint_first(partition, &packed.ends)?;

    // From here on appends wait, if only for a moment.
    run_script("SELECT audits.lock_out_appends()");
    let outcome = Outcome {
        archive: packed.archive,
        partition: described.name.clone(),
        entries: packed.entries,
        segments: packed.segments,
        bytes_before,
        bytes_after: packed.bytes,
        root: packed.root.root(),
    };
    record(&described, &outcome);
    for end in &packed.ends {
        advance_lane(end);
    }
    acting(Deed::Maintenance, || {
        run_script(&format!(
            "ALTER TABLE audits.audit_log DETACH PARTITION {0}; DROP TABLE {0}",
            described.identity
        ));
    });
    Ok(outcome)
}

fn not_archivable(partition: pg_sys::Oid, reason: &str, hint: &'static str) -> Error {
    let partition = update_one::<String>("SELECT $1::regclass::text", &[partition.into()]);
    Error::NotArchivable {
        partition: partition.unwrap_or_default(),
        reason: reason.to_owned(),
        hint,
    }
}

/// The partition, if it is one and is closed.
fn describe(partition: pg_sys::Oid) -> Result<Partition, Error> {
    let described = update(
        "SELECT format('audits.%I', d.partition_name), d.partition_name, d.from_ts, d.until_ts, \
                d.until_ts <= clock_timestamp() \
         FROM audits.describe_partition($1) AS d",
        &[partition.into()],
        |rows| {
            if rows.is_empty() {
                return Ok(None);
            }
            let row = rows.first();
            Ok((|| {
                let partition = Partition {
                    identity: row.get(1).ok()??,
                    name: row.get(2).ok()??,
                    from: row.get(3).ok()??,
                    until: row.get(4).ok()??,
                };
                Some((partition, row.get::<bool>(5).ok()??))
            })())
        },
    );
    match described {
        Some((partition, true)) => Ok(partition),
        Some((_, false)) => Err(not_archivable(
            partition,
            "New entries may still come to it.",
            "Wait until its upper bound has passed; SELECT * FROM audits.describe_partition(...) tells it.",
        )),
        None => Err(not_archivable(
            partition,
            "It is no partition of audits.audit_log with bounds of its own.",
            "Name a partition of a past month, such as audits.audit_log_2026_01. The DEFAULT partition stays open.",
        )),
    }
}

/// Archives go on where the last one ended, so what is older leaves first.
fn refuse_out_of_order(partition: pg_sys::Oid, described: &Partition) -> Result<(), Error> {
    let older = update_one::<String>(
        "SELECT e.tableoid::regclass::text \
         FROM audits.audit_log AS e \
         WHERE e.ts < $1 AND e.tableoid <> 'audits.audit_log_default'::regclass \
         ORDER BY e.ts LIMIT 1",
        &[described.from.into()],
    );
    match older {
        Some(older) => Err(not_archivable(
            partition,
            &format!("{older} is older and still has entries."),
            "Archive older partitions first.",
        )),
        None => Ok(()),
    }
}

/// A checkpoint takes its leaves from the table: what has left it for an archive would never be in the tree, nor
/// anything behind it in its lane. So all that leaves is under a checkpoint, signed where there is a key.
fn checkpoint_first(partition: pg_sys::Oid, ends: &[LaneEnd]) -> Result<(), Error> {
    if is_checkpointed(ends) {
        return Ok(());
    }
    let keys = checkpoints::store::keys()?;
    acting(Deed::Maintenance, || {
        checkpoints::collect::checkpoint(keys.as_ref())
    })?;
    if is_checkpointed(ends) {
        return Ok(());
    }
    Err(not_archivable(
        partition,
        "A checkpoint does not cover all of its entries.",
        "SELECT * FROM audits.verify_chain() tells where a lane does not go on.",
    ))
}

fn is_checkpointed(ends: &[LaneEnd]) -> bool {
    let org_ids: Vec<_> = ends.iter().map(|end| end.org_id.map(to_datum)).collect();
    let lanes: Vec<i32> = ends.iter().map(|end| end.lane).collect();
    let seqs: Vec<i64> = ends.iter().map(|end| end.seq).collect();
    let open = update_one::<bool>(
        "SELECT true \
         FROM unnest($1, $2, $3) AS n (org_id, lane, seq) \
         LEFT JOIN audits.lanes AS l \
             ON coalesce(l.org_id::text, '') = coalesce(n.org_id::text, '') AND l.lane = n.lane \
         WHERE coalesce(l.checkpointed_seq, 0) < n.seq \
         LIMIT 1",
        &[org_ids.into(), lanes.into(), seqs.into()],
    );
    open.is_none()
}

/// What has been packed.
struct Packed {
    archive: Uuid,
    entries: i64,
    segments: i32,
    bytes: i64,
    root: Edge,
    ends: Vec<LaneEnd>,
}

/// Takes entries in order, checks them, and stores them in segments.
struct Packer<'a> {
    partition: &'a Partition,
    progress: Progress,
    waiting: Vec<ArchivedEntry>,
    waiting_bytes: usize,
    lane: Option<LaneEnd>,
    packed: Packed,
}

impl<'a> Packer<'a> {
    fn new(partition: &'a Partition) -> Packer<'a> {
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
    fn pack_all(&mut self, condition: &str, order: &str) -> Result<(), Error> {
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
        in_scratch_memory(|| store(&self.packed, org_id, &entries, &signatures, &content));
        for signature in &signatures {
            self.packed.root.push(*signature);
        }
        self.packed.entries += entries.len() as i64;
        self.packed.segments += 1;
        self.packed.bytes += (content.len() + 32 * signatures.len()) as i64;
        self.progress.advance(entries.len());
        Ok(())
    }

    fn finish(mut self) -> Result<Packed, Error> {
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

fn store(
    packed: &Packed,
    org_id: Option<Uuid>,
    entries: &[ArchivedEntry],
    signatures: &[Hash],
    content: &[u8],
) {
    let runs: Vec<Run> = entry::runs(entries);
    let times = entries.iter().map(|entry| super::postgres_micros(entry.ts));
    let min_ts = times.clone().min().unwrap_or_default();
    let max_ts = times.max().unwrap_or_default();
    let ids = entries.iter().map(|entry| entry.id);
    let arguments: [DatumWithOid; 12] = [
        to_datum(packed.archive).into(),
        packed.segments.into(),
        org_id.map(to_datum).into(),
        runs.iter().map(|run| run.lane).collect::<Vec<i32>>().into(),
        runs.iter()
            .map(|run| run.first_seq)
            .collect::<Vec<i64>>()
            .into(),
        runs.iter()
            .map(|run| run.last_seq)
            .collect::<Vec<i64>>()
            .into(),
        timestamptz(min_ts),
        timestamptz(max_ts),
        signatures.concat().into(),
        content.into(),
        ids.clone().min().into(),
        ids.max().into(),
    ];
    update(
        "INSERT INTO audits.archive_segments \
             (archive_id, place, org_id, lanes, first_seqs, last_seqs, entries, min_ts, max_ts, signatures, content, \
              min_id, max_id) \
         VALUES ($1, $2, $3, $4, $5, $6, octet_length($9) / 32, $7, $8, $9, $10, $11, $12)",
        &arguments,
        |_| Ok(()),
    );
}

/// A time in PostgreSQL's microseconds as the parameter of a query.
fn timestamptz<'a>(micros: i64) -> DatumWithOid<'a> {
    // SAFETY: a timestamptz is those microseconds.
    unsafe { DatumWithOid::new(pg_sys::Datum::from(micros), pg_sys::TIMESTAMPTZOID) }
}

/// The row that the segments belong to; record() completes it, and nobody sees it before.
fn begin(partition: &Partition, archive: Uuid, bytes_before: i64) {
    update(
        "INSERT INTO audits.archives \
             (id, partition_name, from_ts, until_ts, entries, segments, bytes_before, bytes_after, root, entry_id) \
         VALUES ($1, $2, $3, $4, 0, 0, $5, 0, sha256(''), 0)",
        &[
            to_datum(archive).into(),
            partition.name.as_str().into(),
            partition.from.into(),
            partition.until.into(),
            bytes_before.into(),
        ],
        |_| Ok(()),
    );
}

/// Puts the archive on record: an entry in the chain, and what is known of it now.
fn record(partition: &Partition, outcome: &Outcome) {
    let entry_id = update_one::<i64>(
        "INSERT INTO audits.audit_log (org_id, entity, action, actor_id, resource_id, payload) \
         VALUES (NULL, 'audits.audit_log', 'partition.archived', $1, $2, jsonb_build_object( \
             'partition', $3, 'from', $4, 'until', $5, 'entries', $6, 'segments', $7, \
             'root', encode($8, 'hex'), 'by', session_user)) \
         RETURNING id",
        &[
            settings::user_id().map(to_datum).into(),
            to_datum(outcome.archive).into(),
            partition.name.as_str().into(),
            partition.from.into(),
            partition.until.into(),
            outcome.entries.into(),
            outcome.segments.into(),
            outcome.root.as_slice().into(),
        ],
    );
    acting(Deed::Maintenance, || {
        update(
            "UPDATE audits.archives \
             SET entries = $2, segments = $3, bytes_after = $4, root = $5, entry_id = $6 \
             WHERE id = $1",
            &[
                to_datum(outcome.archive).into(),
                outcome.entries.into(),
                outcome.segments.into(),
                outcome.bytes_after.into(),
                outcome.root.as_slice().into(),
                entry_id.into(),
            ],
            |_| Ok(()),
        );
    });
}

/// The lane goes on after what has just been archived.
fn advance_lane(end: &LaneEnd) {
    acting(Deed::Maintenance, || {
        update(
            "INSERT INTO audits.lanes AS l (org_id, lane, archived_seq, archived_signature, archived_ts) \
             VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT ON CONSTRAINT lanes_org_id_lane_key DO UPDATE \
             SET archived_seq = excluded.archived_seq, \
                 archived_signature = excluded.archived_signature, \
                 archived_ts = excluded.archived_ts",
            &[
                end.org_id.map(to_datum).into(),
                end.lane.into(),
                end.seq.into(),
                hex::encode(end.signature).into(),
                timestamptz(super::postgres_micros(end.ts)),
            ],
            |_| Ok(()),
        );
    });
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
