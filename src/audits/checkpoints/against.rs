//! Glue: audits.verify_against(). Holds the ledger to a checkpoint that somebody kept outside.

use std::ops::ControlFlow;

use serde_json::{json, Value};
use uuid::Uuid;

use super::checkpoint::Checkpoint;
use super::growth::{Growth, Tile};
use super::key_file::Keys;
use super::note::{Note, Verdict};
use super::store;
use super::stream::{first, for_each, Argument, Row};
use super::tile::{Place, TILE_WIDTH};
use super::tree::{Hash, Leaves};
use crate::audits::archives::leaves::ArchivedLeaves;
use crate::audits::encoding::{parse_hash, Entry};
use crate::codeverify::owner::as_owner;
use crate::codeverify::progress::{Operation, Progress};

/// Runs of entries that are read at a time.
const BATCH: usize = 1_000;

/// Archived entries whose hashes are held at a time.
const ARCHIVED_BATCH: i64 = 10_000;

/// Columns of an entry, in the order in which [`leaf_hash`] reads them.
macro_rules! entries {
    ($ledger:literal) => {
        concat!(
            "SELECT a.seq, a.prev_hash, a.id, a.event_id, a.ts, a.entity, a.action, a.actor_id, \
                    a.resource_id, a.payload, a.ip_address, a.user_agent \
             FROM audits.audit_log AS a WHERE ",
            $ledger,
            " AND a.lane = $2 AND a.seq BETWEEN $3 AND $4 AND a.ts BETWEEN $5 AND $6 \
             ORDER BY a.org_id, a.lane, a.seq, a.ts"
        )
    };
}

const OF_TENANT: &str = entries!("a.org_id = $1");
const OF_PLATFORM: &str = entries!("$1::uuid IS NULL AND a.org_id IS NULL");

/// Entries that a checkpoint brought into the tree.
#[derive(Clone)]
struct Run {
    first_leaf: u64,
    org_id: Option<Uuid>,
    lane: i32,
    first_seq: i64,
    last_seq: i64,
    /// As PostgreSQL has them.
    first_ts: i64,
    last_ts: i64,
}

/// The first thing that is not as it was.
enum Difference {
    /// missing, altered, repeated or unknown.
    Leaf { leaf: u64, kind: &'static str },
    /// A node above leaves that are all as they were.
    Tile(Place),
}

/// The tree as the entries that are there make it.
struct Recomputed {
    growth: Growth,
    /// Where its tiles are not the stored ones.
    difference: Option<Difference>,
    /// Why there are no further leaves, though the tree has more.
    stop: Option<&'static str>,
}

/// What the note is to this ledger.
pub fn verify(note: &str, keys: Option<&Keys>) -> Value {
    let parsed = Note::parse(note)
        .and_then(|note| Checkpoint::parse(note.text).map(|checkpoint| (note, checkpoint)));
    let Some((note, checkpoint)) = parsed else {
        return json!({"status": "invalid_note", "detail": "This is no C2SP tlog-checkpoint."});
    };
    let report = |status: &str, detail: &str| {
        json!({
            "status": status,
            "detail": detail,
            "origin": checkpoint.origin,
            "tree_size": checkpoint.tree_size,
            "signature": if keys.is_some() { "valid" } else { "unchecked" },
        })
    };
    if let Some(keys) = keys {
        let problem = match note.verify(&keys.verifiers()) {
            Verdict::Valid => None,
            Verdict::Forged => Some("A signature claims to be by the ledger's key and is not."),
            Verdict::Unknown => Some("The note is not signed by a key of this ledger."),
        };
        if let Some(problem) = problem {
            let mut report = report("bad_signature", problem);
            report["signature"] = "bad".into();
            return report;
        }
    }
    as_owner(|| {
        let current = store::current_size();
        if checkpoint.tree_size > current {
            let mut report = report(
                "unknown_size",
                "The ledger's last checkpoint is smaller: it has lost entries, or the note is of another ledger.",
            );
            report["current_size"] = current.into();
            return report;
        }
        compare(&checkpoint, report, current)
    })
}

fn compare(checkpoint: &Checkpoint, report: impl Fn(&str, &str) -> Value, current: u64) -> Value {
    let size = checkpoint.tree_size;
    let stored = store::tiles().root(Leaves::all(size));
    let recomputed = recompute(size);
    let entries_fit =
        recomputed.stop.is_none() && recomputed.growth.root().as_ref() == Ok(&checkpoint.root);
    // Where the entries are not what they were, that says nothing of the tiles.
    let tiles_fit = recomputed.difference.is_none() || !entries_fit;
    let tree_fits = tiles_fit && stored.as_ref() == Ok(&checkpoint.root);
    let mut report = match (tree_fits, entries_fit) {
        (true, true) => report(
            "consistent",
            "The ledger continues the checkpoint: every entry that it covers is there, unchanged.",
        ),
        (true, false) => report(
            "inconsistent",
            "The tree is the checkpoint's, the entries are not: some were changed or are gone.",
        ),
        (false, true) => report(
            "inconsistent",
            "The entries are the checkpoint's, the stored tree is not: its tiles were changed.",
        ),
        (false, false) => report(
            "inconsistent",
            "Neither the entries nor the tree are the checkpoint's: the past was written anew, or the note is of another ledger.",
        ),
    };
    report["current_size"] = current.into();
    if !(tree_fits && entries_fit) {
        report["first_difference"] = match &recomputed.difference {
            Some(difference) => difference.describe(),
            None => find_stretch(size),
        };
    }
    report
}

impl Difference {
    fn describe(&self) -> Value {
        match self {
            Difference::Tile(place) => json!({
                "level": place.level,
                "tile_index": place.index,
                "difference": "altered",
            }),
            Difference::Leaf { leaf, kind } => {
                let mut value = json!({"leaf_index": leaf, "difference": kind});
                if let Some(run) = find_run(*leaf) {
                    value["org_id"] = run.org_id.map(|id| id.to_string()).into();
                    value["lane"] = run.lane.into();
                    value["seq"] = (run.first_seq + store::number(leaf - run.first_leaf)).into();
                }
                value
            }
        }
    }
}

/// Hashes the entries that are there, in the order of the tree, and compares each tile that they make with the
/// stored one.
fn recompute(size: u64) -> Recomputed {
    let mut scan = Recomputed {
        growth: Growth::default(),
        difference: None,
        stop: None,
    };
    let total = usize::try_from(size).unwrap_or(usize::MAX);
    let mut progress = Progress::start(Operation::Verify, total);
    let mut archived = ArchivedLeaves::default();
    while scan.growth.size() < size && scan.stop.is_none() {
        let runs = read_runs(scan.growth.size(), size);
        if runs.is_empty() {
            scan.stop = Some("unknown");
        }
        for run in runs {
            if run.first_leaf == scan.growth.size() {
                scan.read(&run, size, &mut archived, &mut progress);
            } else {
                scan.stop = Some("unknown");
            }
            if scan.stop.is_some() {
                break;
            }
        }
    }
    for tile in scan.growth.open_tiles() {
        compare_tile(&tile, &mut scan.difference);
    }
    if let Some(kind) = scan.stop {
        let leaf = scan.growth.size();
        scan.difference
            .get_or_insert(Difference::Leaf { leaf, kind });
    }
    scan
}

/// A tile that the entries make is, or begins, the stored one.
fn compare_tile(tile: &Tile, difference: &mut Option<Difference>) {
    if difference.is_some() {
        return;
    }
    let stored = store::read_tile(tile.place).unwrap_or_default();
    let same = tile
        .hashes
        .iter()
        .zip(&stored)
        .take_while(|(one, other)| one == other)
        .count();
    if same < tile.hashes.len() {
        *difference = Some(match tile.place.level {
            0 => Difference::Leaf {
                leaf: tile.place.index * TILE_WIDTH as u64 + same as u64,
                kind: "altered",
            },
            _ => Difference::Tile(tile.place),
        });
    }
}

impl Recomputed {
    /// Takes an entry's hash for the next leaf of the tree.
    fn push(&mut self, hash: Option<Hash>, progress: &mut Progress) {
        let difference = &mut self.difference;
        // What cannot be read has no hash; any other than the right one will do.
        self.growth.push(hash.unwrap_or_default(), |tile| {
            compare_tile(&tile, difference)
        });
        progress.advance(1);
    }

    /// Adds the entries of a run, or says what is instead of the next one.
    fn read(
        &mut self,
        run: &Run,
        size: u64,
        archived: &mut ArchivedLeaves,
        progress: &mut Progress,
    ) {
        let wanted = (size - run.first_leaf).min(store::size(run.last_seq - run.first_seq + 1));
        let last_seq = run.first_seq + store::number(wanted) - 1;
        let mut next = run.first_seq;
        let mut has_more = true;
        while has_more && next <= last_seq {
            let batch_end = last_seq.min(next + ARCHIVED_BATCH - 1);
            for (seq, hash) in archived.read(run.org_id, run.lane, next, batch_end) {
                if seq != next {
                    break;
                }
                self.push(hash, progress);
                next += 1;
            }
            has_more = next > batch_end;
        }
        let sql = if run.org_id.is_some() {
            OF_TENANT
        } else {
            OF_PLATFORM
        };
        let arguments = [
            Argument::Uuid(run.org_id),
            Argument::Int4(run.lane),
            Argument::Int8(next),
            Argument::Int8(last_seq),
            Argument::Time(run.first_ts),
            Argument::Time(run.last_ts),
        ];
        let unexpected = for_each(sql, &arguments, |row| {
            let seq = row.int8(1);
            if seq != next {
                return ControlFlow::Break(seq);
            }
            self.push(leaf_hash(row, run), progress);
            next += 1;
            ControlFlow::Continue(())
        });
        self.stop = match unexpected {
            Some(seq) if seq < next => Some("repeated"),
            _ if next > last_seq => None,
            _ if exists(run, next) => Some("altered"),
            _ => Some("missing"),
        };
    }
}

/// Whether the entry is there at another time than it was made at.
fn exists(run: &Run, seq: i64) -> bool {
    first(
        "SELECT true FROM audits.audit_log AS a \
         WHERE a.lane = $2 AND a.seq = $3 AND (a.org_id = $1 OR a.org_id IS NULL AND $1::uuid IS NULL) LIMIT 1",
        &[
            Argument::Uuid(run.org_id),
            Argument::Int4(run.lane),
            Argument::Int8(seq),
        ],
        |_| (),
    )
    .is_some()
}

/// The hash of an entry as it is now; None when it cannot be read.
fn leaf_hash(row: &Row, run: &Run) -> Option<Hash> {
    Entry {
        org_id: run.org_id,
        lane: run.lane,
        seq: row.int8(1),
        prev_hash: row.bytes(2).and_then(parse_hash)?,
        id: row.int8(3),
        event_id: row.uuid(4)?,
        ts: row.time(5),
        entity: row.text(6),
        action: row.text(7)?,
        actor_id: row.uuid(8),
        resource_id: row.uuid(9),
        payload: row.bytes(10)?,
        ip_address: row.text(11),
        user_agent: row.text(12),
    }
    .leaf_hash()
    .ok()
}

/// The run that a leaf is in.
fn find_run(leaf: u64) -> Option<Run> {
    let run = first(
        "SELECT c.first_leaf, c.org_id, c.lane, c.first_seq, c.last_seq, c.first_ts, c.last_ts \
         FROM audits.checkpoint_lanes AS c \
         WHERE c.first_leaf <= $1 ORDER BY c.first_leaf DESC LIMIT 1",
        &[Argument::Int8(store::number(leaf))],
        Run::read,
    );
    run.filter(|run| leaf - run.first_leaf <= store::size(run.last_seq - run.first_seq))
}

impl Run {
    fn read(row: &Row) -> Run {
        Run {
            first_leaf: store::size(row.int8(1)),
            org_id: row.uuid(2),
            lane: row.int4(3),
            first_seq: row.int8(4),
            last_seq: row.int8(5),
            first_ts: row.int8(6),
            last_ts: row.int8(7),
        }
    }
}

/// The next runs from this leaf on.
fn read_runs(from: u64, size: u64) -> Vec<Run> {
    let mut runs = Vec::new();
    for_each(
        "SELECT c.first_leaf, c.org_id, c.lane, c.first_seq, c.last_seq, c.first_ts, c.last_ts \
         FROM audits.checkpoint_lanes AS c \
         WHERE c.first_leaf >= $1 AND c.first_leaf < $2 ORDER BY c.first_leaf",
        &[
            Argument::Int8(store::number(from)),
            Argument::Int8(store::number(size)),
        ],
        |row| {
            runs.push(Run::read(row));
            if runs.len() < BATCH {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            }
        },
    );
    runs
}

/// Where every leaf is the tree's own, but the tree is not what it was: the first of our own checkpoints that
/// does not fit says between which sizes; nothing where they were all made anew.
fn find_stretch(size: u64) -> Value {
    let mut good = 0;
    let stretch = for_each(
        "SELECT c.tree_size, c.root FROM audits.checkpoints AS c \
         WHERE c.tree_size <= $1 ORDER BY c.tree_size",
        &[Argument::Int8(store::number(size))],
        |row| {
            let at = store::size(row.int8(1));
            let root: Option<Hash> = row.bytes(2).and_then(|root| root.try_into().ok());
            if root.is_some() && store::tiles().root(Leaves::all(at)).ok() == root {
                good = at;
                return ControlFlow::Continue(());
            }
            ControlFlow::Break(json!({
                "first_leaf": good,
                "last_leaf": at.saturating_sub(1),
                "difference": "rewritten",
            }))
        },
    );
    stretch.unwrap_or(Value::Null)
}
