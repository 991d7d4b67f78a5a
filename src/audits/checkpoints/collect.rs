//! Glue: audits.checkpoint(). Brings new entries into the tree.

use std::ops::ControlFlow;

use pgrx::{pg_sys, warning, PgLogLevel, PgSqlErrorCode};
use uuid::Uuid;

use super::checkpoint::Checkpoint;
use super::growth::{Growth, Tile};
use super::key_file::Keys;
use super::note;
use super::store::{self, Latest};
use super::stream::{for_each, in_latest_snapshot, in_one_snapshot, Row};
use super::tree::{Hash, EMPTY_ROOT};
use crate::audits::encoding::GENESIS;
use crate::codeverify::errors::Error;
use crate::codeverify::owner::as_owner;
use crate::codeverify::progress::{Operation, Progress};
use crate::codeverify::query::{run_script, update};
use crate::tenancy::sql::to_datum;

/// Tiles that are written at a time: 2 MB.
const BATCH: usize = 1_000;

/// Rows of the lanes and their new entries. A lane that has no row in audits.lanes, because its entries came
/// from a dump or another server, is found by going from lane to lane in the index.
const TENANTS: &str = "\
    WITH RECURSIVE found AS ( \
        (SELECT a.org_id, a.lane FROM audits.audit_log AS a \
         WHERE a.org_id IS NOT NULL ORDER BY a.org_id, a.lane LIMIT 1) \
        UNION ALL \
        SELECT n.org_id, n.lane \
        FROM found AS f \
        CROSS JOIN LATERAL ( \
            SELECT a.org_id, a.lane FROM audits.audit_log AS a \
            WHERE (a.org_id, a.lane) > (f.org_id, f.lane) ORDER BY a.org_id, a.lane LIMIT 1) AS n) \
    SELECT l.org_id, l.lane, l.seq, l.signature, e.seq, e.signature, e.prev_hash, e.ts \
    FROM ( \
        SELECT s.org_id, s.lane, s.checkpointed_seq AS seq, s.checkpointed_signature AS signature, \
               coalesce(s.checkpointed_ts, '-infinity') AS ts \
        FROM audits.lanes AS s WHERE s.org_id IS NOT NULL \
        UNION ALL \
        SELECT f.org_id, f.lane, 0, NULL, '-infinity' \
        FROM found AS f \
        WHERE NOT EXISTS ( \
            SELECT FROM audits.lanes AS s WHERE s.org_id = f.org_id AND s.lane = f.lane)) AS l \
    CROSS JOIN LATERAL ( \
        SELECT a.seq, a.signature, a.prev_hash, a.ts FROM audits.audit_log AS a \
        WHERE a.org_id = l.org_id AND a.lane = l.lane AND a.seq > l.seq AND a.ts > l.ts \
        ORDER BY a.seq OFFSET 0) AS e \
    ORDER BY l.org_id, l.lane, e.seq, e.ts";

/// The same of the platform's own ledger.
const PLATFORM: &str = "\
    SELECT l.org_id, l.lane, l.seq, l.signature, e.seq, e.signature, e.prev_hash, e.ts \
    FROM ( \
        SELECT s.org_id, g.lane, coalesce(s.checkpointed_seq, 0) AS seq, s.checkpointed_signature AS signature, \
               coalesce(s.checkpointed_ts, '-infinity') AS ts \
        FROM pg_catalog.generate_series(0, 31) AS g (lane) \
        LEFT JOIN audits.lanes AS s ON s.org_id IS NULL AND s.lane = g.lane) AS l \
    CROSS JOIN LATERAL ( \
        SELECT a.seq, a.signature, a.prev_hash, a.ts FROM audits.audit_log AS a \
        WHERE a.org_id IS NULL AND a.lane = l.lane AND a.seq > l.seq AND a.ts > l.ts \
        ORDER BY a.org_id, a.lane, a.seq OFFSET 0) AS e \
    ORDER BY l.lane, e.seq, e.ts";

/// Consecutive entries of a lane that become consecutive leaves.
struct Run {
    org_id: Option<Uuid>,
    lane: i32,
    first_leaf: i64,
    first_seq: i64,
    last_seq: i64,
    /// As PostgreSQL has them.
    first_ts: i64,
    last_ts: i64,
    last_signature: Hash,
}

/// The lane that entries are being read of.
struct Lane {
    org_id: Option<Uuid>,
    lane: i32,
    last_seq: i64,
    last_signature: Hash,
    is_stopped: bool,
}

/// Where a lane does not go on.
struct Stop {
    org_id: Option<Uuid>,
    lane: i32,
    seq: i64,
}

/// Entries on their way into the tree.
struct Collection {
    growth: Growth,
    full: Vec<Tile>,
    runs: Vec<Run>,
    lane: Option<Lane>,
    stops: usize,
    first_stop: Option<Stop>,
    progress: Progress,
}

/// Makes a checkpoint of all committed entries and returns its note; the last one's where nothing is new.
pub fn checkpoint(keys: Option<&Keys>) -> Result<String, Error> {
    as_owner(|| {
        let origin = store::origin()?;
        // One at a time. It lasts until the transaction ends: what is in the tree must be seen by the next.
        run_script("LOCK TABLE audits.checkpoints IN SHARE ROW EXCLUSIVE MODE");
        in_one_snapshot(|| {
            let latest = store::latest();
            let size = latest.as_ref().map_or(0, |latest| latest.tree_size);
            check_snapshot(latest.as_ref());
            let growth = Growth::resume(size, &mut store::tiles()).map_err(store::damaged)?;
            let known_root = latest.as_ref().map_or(EMPTY_ROOT, |latest| latest.root);
            // A new signature below a tree that was changed would be one of a forged past.
            if growth.root().map_err(store::damaged)? != known_root {
                return Err(Error::TreeDamaged {
                    problem: format!("Its root at {size} leaves is not that of the checkpoint."),
                });
            }
            if store::mapped_size() != size || store::tiled_size() != size {
                return Err(Error::TreeDamaged {
                    problem: format!("Not all of its parts end at {size} leaves, where the last checkpoint does."),
                });
            }

            let mut collection = Collection::new(growth);
            for sql in [PLATFORM, TENANTS] {
                let damage = for_each(sql, &[], |row| match collection.add(row) {
                    Ok(()) => ControlFlow::Continue(()),
                    Err(error) => ControlFlow::Break(error),
                });
                damage.map_or(Ok(()), Err)?;
                collection.lane = None;
            }
            collection.warn();

            let checkpoint = Checkpoint {
                origin,
                tree_size: collection.growth.size(),
                root: collection.growth.root().map_err(store::damaged)?,
            };
            let note = note::make(&checkpoint.text(), keys.map(|keys| &keys.signer));
            match latest {
                // The same tree again. Its note stays, unless it would now be signed, or by another key.
                Some(latest) if checkpoint.tree_size == size => {
                    if keys.is_none() || latest.note == note {
                        return Ok(latest.note);
                    }
                    store::replace_note(&checkpoint, &note);
                }
                _ => collection.store(&checkpoint, &note, keys.is_some()),
            }
            Ok(note)
        })
    })
}

/// A transaction whose snapshot is older than somebody else's checkpoint would build on a tree that is no
/// longer the last. The first checkpoint may be of an empty tree, which is not the same as none.
fn check_snapshot(seen: Option<&Latest>) {
    let size = |latest: &Latest| latest.tree_size;
    if in_latest_snapshot(store::latest).as_ref().map(size) != seen.map(size) {
        pg_sys::panic::ErrorReport::new(
            PgSqlErrorCode::ERRCODE_T_R_SERIALIZATION_FAILURE,
            "could not serialize access due to a concurrent checkpoint",
            "codeverify",
        )
        .set_hint("Run the transaction again.")
        .report(PgLogLevel::ERROR);
    }
}

impl Lane {
    /// Entries that the tree does not have, though the lane says so, would never get into it.
    fn open(org_id: Option<Uuid>, number: i32, row: &Row) -> Result<Lane, Error> {
        let last_seq = row.int8(3);
        if store::mapped_seq(org_id, number) != last_seq {
            return Err(Error::TreeDamaged {
                problem: format!(
                    "audits.lanes and audits.checkpoint_lanes say different things of lane {number} of {}.",
                    name(org_id)
                ),
            });
        }
        Ok(Lane {
            org_id,
            lane: number,
            last_seq,
            last_signature: row.hash(4).unwrap_or(GENESIS),
            is_stopped: false,
        })
    }
}

/// Whose ledger it is.
fn name(org_id: Option<Uuid>) -> String {
    org_id.map_or("the platform".into(), |id| format!("organization {id}"))
}

impl Collection {
    fn new(growth: Growth) -> Collection {
        Collection {
            growth,
            full: Vec::new(),
            runs: Vec::new(),
            lane: None,
            stops: 0,
            first_stop: None,
            progress: Progress::start(Operation::Checkpoint, 0),
        }
    }

    /// Takes the next entry in, if it continues its lane. Behind a gap nothing of the lane is taken: entries
    /// that are still to come from another server fill it, and those that were deleted must not be passed over.
    fn add(&mut self, row: &Row) -> Result<(), Error> {
        let (org_id, number) = (row.uuid(1), row.int4(2));
        let (seq, ts) = (row.int8(5), row.int8(8));
        let known = |lane: &Lane| lane.org_id == org_id && lane.lane == number;
        let mut lane = match self.lane.take().filter(known) {
            Some(lane) => lane,
            None => Lane::open(org_id, number, row)?,
        };
        if !lane.is_stopped {
            match row.hash(6) {
                Some(signature)
                    if seq == lane.last_seq + 1 && row.hash(7) == Some(lane.last_signature) =>
                {
                    self.extend_run(&lane, seq, ts, signature);
                    (lane.last_seq, lane.last_signature) = (seq, signature);
                }
                _ => {
                    lane.is_stopped = true;
                    self.stops += 1;
                    self.first_stop.get_or_insert(Stop {
                        org_id,
                        lane: number,
                        seq: lane.last_seq,
                    });
                }
            }
        }
        self.lane = Some(lane);
        Ok(())
    }

    fn extend_run(&mut self, lane: &Lane, seq: i64, ts: i64, signature: Hash) {
        let leaf = store::number(self.growth.size());
        match self.runs.last_mut() {
            Some(run) if run.org_id == lane.org_id && run.lane == lane.lane => {
                run.last_seq = seq;
                run.last_ts = ts;
                run.last_signature = signature;
            }
            _ => self.runs.push(Run {
                org_id: lane.org_id,
                lane: lane.lane,
                first_leaf: leaf,
                first_seq: seq,
                last_seq: seq,
                first_ts: ts,
                last_ts: ts,
                last_signature: signature,
            }),
        }
        let full = &mut self.full;
        self.growth.push(signature, |tile| full.push(tile));
        self.progress.advance(1);
        if self.full.len() >= BATCH {
            store::write_tiles(&std::mem::take(&mut self.full));
        }
    }

    fn warn(&self) {
        if let Some(stop) = &self.first_stop {
            warning!(
                "{} lanes of the ledger do not go on where the last checkpoint ended: \
                 after entry {} of lane {} of {} the next one is missing or does not fit; \
                 audits.verify_chain() tells more",
                self.stops,
                stop.seq,
                stop.lane,
                name(stop.org_id)
            );
        }
    }

    fn store(self, checkpoint: &Checkpoint, note: &str, is_signed: bool) {
        store::write_tiles(&self.full);
        store::write_tiles(&self.growth.open_tiles().collect::<Vec<_>>());
        store::write_checkpoint(checkpoint, note, is_signed);
        for runs in self.runs.chunks(BATCH) {
            write_runs(runs, checkpoint.tree_size);
        }
    }
}

/// Writes which leaves are which entries, and how far the lanes are in the tree.
fn write_runs(runs: &[Run], tree_size: u64) {
    let time = |ts: i64| {
        // The server's own value, which it has checked.
        pgrx::datum::TimestampWithTimeZone::try_from(ts).ok()
    };
    let org_ids: Vec<_> = runs.iter().map(|run| run.org_id.map(to_datum)).collect();
    let lanes: Vec<i32> = runs.iter().map(|run| run.lane).collect();
    let first_leaves: Vec<i64> = runs.iter().map(|run| run.first_leaf).collect();
    let first_seqs: Vec<i64> = runs.iter().map(|run| run.first_seq).collect();
    let last_seqs: Vec<i64> = runs.iter().map(|run| run.last_seq).collect();
    let first_times: Vec<_> = runs.iter().map(|run| time(run.first_ts)).collect();
    let last_times: Vec<_> = runs.iter().map(|run| time(run.last_ts)).collect();
    let signatures: Vec<String> = runs
        .iter()
        .map(|run| hex::encode(run.last_signature))
        .collect();
    update(
        "INSERT INTO audits.checkpoint_lanes AS c \
             (first_leaf, tree_size, org_id, lane, first_seq, last_seq, first_ts, last_ts) \
         SELECT n.first_leaf, $1, n.org_id, n.lane, n.first_seq, n.last_seq, n.first_ts, n.last_ts \
         FROM unnest($2, $3, $4, $5, $6, $7, $8) \
             AS n (first_leaf, org_id, lane, first_seq, last_seq, first_ts, last_ts)",
        &[
            store::number(tree_size).into(),
            first_leaves.into(),
            org_ids.clone().into(),
            lanes.clone().into(),
            first_seqs.into(),
            last_seqs.clone().into(),
            first_times.into(),
            last_times.clone().into(),
        ],
        |_| Ok(()),
    );
    update(
        "INSERT INTO audits.lanes AS l \
             (org_id, lane, checkpointed_seq, checkpointed_signature, checkpointed_ts) \
         SELECT n.org_id, n.lane, n.seq, n.signature, n.ts \
         FROM unnest($1, $2, $3, $4, $5) AS n (org_id, lane, seq, signature, ts) \
         ON CONFLICT (org_id, lane) DO UPDATE \
         SET checkpointed_seq = excluded.checkpointed_seq, \
             checkpointed_signature = excluded.checkpointed_signature, \
             checkpointed_ts = excluded.checkpointed_ts",
        &[
            org_ids.into(),
            lanes.into(),
            last_seqs.into(),
            signatures.into(),
            last_times.into(),
        ],
        |_| Ok(()),
    );
}
