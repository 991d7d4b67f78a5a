//! Glue: whether the Merkle tree and the checkpoints hold what the ledger holds.

use super::reader::{in_ledger, Reader, Value};
use super::tally::{Key, Sum};
use super::verdict::{Finding, Report, Verdict};
use crate::audits::chain::held::{Head, Ledger};
use crate::audits::checkpoints::checkpoint::Checkpoint;
use crate::audits::checkpoints::growth::{Growth, Tile};
use crate::audits::checkpoints::key_file::Keys;
use crate::audits::checkpoints::note::{Note, Verdict as Signature};
use crate::audits::checkpoints::store::{number, size};
use crate::audits::checkpoints::tile::{read_hashes, Place, Tiles, TILE_WIDTH};
use crate::audits::encoding::Hash;

/// A lane's leaves of the tree.
#[derive(Clone, Copy, Debug)]
pub struct LaneLeaves {
    /// Place of the first.
    pub first_seq: i64,
    /// The entry of the last.
    pub last: Head,
    /// What hashes the leaves should have and have not.
    pub missing: u64,
    /// The first place between two runs that is in neither, or in both.
    pub gap: Option<i64>,
    /// Of those that have not been archived.
    pub sum: Sum,
}

/// Reads the leaves of a lane from a leaf of the tree on; None when there are none.
pub fn read_lane_leaves(
    reader: &mut Reader,
    ledger: Ledger,
    lane: i32,
    from_leaf: u64,
    archived: i64,
    key: Key,
) -> Option<LaneLeaves> {
    let (condition, argument) = in_ledger(ledger);
    let sql = format!(
        "SELECT a.first_leaf, a.first_seq, a.last_seq, a.last_ts, t.tile_index, t.hashes \
         FROM audits.checkpoint_lanes AS a \
         LEFT JOIN LATERAL ( \
             SELECT t.tile_index, t.hashes FROM audits.merkle_tiles AS t \
             WHERE t.level = 0 \
               AND t.tile_index BETWEEN a.first_leaf / 64 AND (a.first_leaf + (a.last_seq - a.first_seq)) / 64 \
             ORDER BY t.level, t.tile_index) AS t ON true \
         WHERE {condition} AND a.lane = $2 AND a.first_leaf >= $3 \
         ORDER BY a.last_seq, a.first_leaf, t.tile_index"
    );
    let values = [argument, Value::Int4(lane), Value::Int8(number(from_leaf))];
    let mut leaves: Option<LaneLeaves> = None;
    let mut run = None;
    reader.each(&sql, &values, |row| {
        let [first_leaf, first_seq, last_seq] = [0, 1, 2].map(|place| row.int8(place).unwrap_or(0));
        let end_leaf = first_leaf.saturating_add(last_seq.saturating_sub(first_seq));
        let known = leaves.get_or_insert(LaneLeaves {
            first_seq,
            last: Head {
                seq: first_seq - 1,
                ..Head::NONE
            },
            missing: 0,
            gap: None,
            sum: Sum::default(),
        });
        if run.replace(first_leaf) != Some(first_leaf) {
            if first_seq != known.last.seq + 1 {
                known.gap.get_or_insert(known.last.seq + 1);
            }
            known.last.seq = last_seq;
            known.missing += size(last_seq - first_seq + 1);
        }
        let (Some(tile), Some(hashes)) = (row.int8(4), row.bytes(5).and_then(read_hashes)) else {
            return true;
        };
        let tile_leaf = tile * TILE_WIDTH as i64;
        for (leaf, hash) in (tile_leaf..).zip(hashes) {
            if !(first_leaf..=end_leaf).contains(&leaf) {
                continue;
            }
            let seq = first_seq + (leaf - first_leaf);
            known.missing = known.missing.saturating_sub(1);
            if seq > archived {
                known.sum.add(key, seq, &hash);
            }
            if leaf == end_leaf {
                known.last.signature = hash;
                known.last.ts = row.time(3).unwrap_or(known.last.ts);
            }
        }
        true
    });
    leaves
}

/// The sum of (seq, signature) of entries of a lane, from one to another.
pub fn sum_entries(
    reader: &mut Reader,
    ledger: Ledger,
    lane: i32,
    (first, last): (i64, i64),
    key: Key,
) -> Sum {
    let (condition, argument) = in_ledger(ledger);
    let sql = format!(
        "SELECT a.seq::int8, a.signature::text FROM audits.audit_log AS a \
         WHERE {condition} AND a.lane = $2 AND a.seq BETWEEN $3 AND $4 \
         ORDER BY a.seq"
    );
    let values = [
        argument,
        Value::Int4(lane),
        Value::Int8(first),
        Value::Int8(last),
    ];
    let mut sum = Sum::default();
    reader.each(&sql, &values, |row| {
        if let (Some(seq), Some(signature)) = (row.int8(0), row.hash(1)) {
            sum.add(key, seq, &signature);
        }
        true
    });
    sum
}

/// Tells of the first entry of a lane whose leaf is another. Returns whether there is one.
pub fn tell_first_difference(
    reader: &mut Reader,
    report: &mut dyn Report,
    ledger: Ledger,
    lane: i32,
) -> bool {
    let (condition, argument) = in_ledger(ledger);
    let sql = format!(
        "SELECT a.seq::int8, a.id::int8, a.ts::timestamptz \
         FROM audits.audit_log AS a \
         JOIN audits.checkpoint_lanes AS c \
             ON c.org_id IS NOT DISTINCT FROM a.org_id AND c.lane = a.lane AND a.seq BETWEEN c.first_seq AND c.last_seq \
         LEFT JOIN audits.merkle_tiles AS t \
             ON t.level = 0 AND t.tile_index = (c.first_leaf + (a.seq - c.first_seq)) / 64 \
         WHERE {condition} AND a.lane = $2 AND ($1 IS NULL OR c.org_id = $1) AND c.lane = $2 \
           AND encode(substr(t.hashes, ((c.first_leaf + (a.seq - c.first_seq)) % 64 * 32 + 1)::int, 32), 'hex') \
               IS DISTINCT FROM a.signature \
         ORDER BY a.seq LIMIT 1"
    );
    let found = reader.first(&sql, &[argument, Value::Int4(lane)], |row| Finding {
        ledger,
        lane: Some(lane),
        seq: row.int8(0),
        id: row.int8(1),
        ts: row.time(2),
        verdict: Verdict::CheckpointMismatch,
        detail: "its leaf of the Merkle tree is another; those of the entries after it may be too"
            .to_owned(),
    });
    let is_found = found.is_some();
    if let Some(finding) = found {
        report.tell(finding);
    }
    is_found
}

/// A finding about a lane's leaves or about the tree.
pub fn mismatch(place: Option<(Ledger, i32, Option<i64>)>, detail: String) -> Finding {
    let (ledger, lane, seq) = match place {
        Some((ledger, lane, seq)) => (ledger, Some(lane), seq),
        None => (None, None, None),
    };
    Finding {
        ledger,
        lane,
        seq,
        id: None,
        ts: None,
        verdict: Verdict::CheckpointMismatch,
        detail,
    }
}

/// A stored checkpoint.
struct Stored {
    tree_size: u64,
    root: Option<Hash>,
    origin: String,
    note: String,
    is_signed: bool,
}

/// Whether the tree is what its leaves make it, and the checkpoints are of it; from a size on that was so before.
/// Returns the size of the tree.
pub fn verify_tree(
    reader: &mut Reader,
    report: &mut dyn Report,
    keys: Option<&Keys>,
    from: u64,
) -> u64 {
    verify_runs(reader, report);
    let Some(growth) = resume(reader, from) else {
        let detail = format!("the tree that was verified at {from} leaves is damaged");
        report.tell(mismatch(None, detail));
        return from;
    };
    let mut checkpoints = reader.spool_by_index(
        "SELECT c.tree_size, c.root, c.origin, c.note, c.is_signed \
         FROM audits.checkpoints AS c WHERE c.tree_size >= $1 ORDER BY c.tree_size",
        &[Value::Int8(number(from))],
    );
    // In the order in which they are full, those that are not full last.
    let mut upper = reader.spool_by_index(
        "SELECT t.level, t.tile_index, t.hashes FROM audits.merkle_tiles AS t \
         WHERE t.level > 0 AND (t.tile_index + 1)::numeric * 64::numeric ^ (t.level + 1) > $1 \
         ORDER BY (t.tile_index + 1)::numeric * 64::numeric ^ (t.level + 1), t.level",
        &[Value::Int8(number(from))],
    );
    let mut next_upper = || {
        upper
            .next(|row| {
                Some(Tile {
                    place: Place {
                        level: u32::try_from(row.int4(0)?).ok()?,
                        index: size(row.int8(1)?),
                    },
                    hashes: row.bytes(2).and_then(read_hashes)?,
                })
            })
            .flatten()
    };
    let mut next_checkpoint = || {
        checkpoints.next(|row| Stored {
            tree_size: size(row.int8(0).unwrap_or(0)),
            root: row.bytes(1).and_then(|root| root.try_into().ok()),
            origin: row.text(2).unwrap_or_default().to_owned(),
            note: row.text(3).unwrap_or_default().to_owned(),
            is_signed: row.boolean(4).unwrap_or(false),
        })
    };

    let mut tree = Tree {
        growth,
        is_told: false,
        report,
        keys,
    };
    let mut checkpoint = next_checkpoint();
    let mut last_checkpoint = 0;
    let mut settle = |tree: &mut Tree| {
        while let Some(stored) = checkpoint.take_if(|stored| stored.tree_size <= tree.growth.size())
        {
            tree.verify_checkpoint(&stored);
            last_checkpoint = stored.tree_size;
            checkpoint = next_checkpoint();
        }
    };
    settle(&mut tree);
    let first_tile = from / TILE_WIDTH as u64;
    let mut skip = (from % TILE_WIDTH as u64) as usize;
    let mut expected_tile = first_tile;
    reader.each(
        "SELECT t.tile_index, t.hashes FROM audits.merkle_tiles AS t \
         WHERE t.level = 0 AND t.tile_index >= $1 ORDER BY t.level, t.tile_index",
        &[Value::Int8(number(first_tile))],
        |row| {
            let hashes = row.bytes(1).and_then(read_hashes).unwrap_or_default();
            if row.int8(0).map(size) != Some(expected_tile) {
                tree.tell(format!("tile {expected_tile} of the leaves is missing"));
                return false;
            }
            expected_tile += 1;
            let leaves = hashes.into_iter().skip(std::mem::take(&mut skip));
            for leaf in leaves {
                let mut full = Vec::new();
                tree.growth.push(leaf, |tile| full.push(tile));
                for tile in full.into_iter().filter(|tile| tile.place.level > 0) {
                    let stored = next_upper();
                    tree.compare(&tile, stored.as_ref());
                }
                settle(&mut tree);
            }
            true
        },
    );
    let open: Vec<Tile> = tree
        .growth
        .held_tiles()
        .filter(|tile| tile.place.level > 0)
        .collect();
    for tile in open {
        let stored = next_upper();
        tree.compare(&tile, stored.as_ref());
    }
    if next_upper().is_some() {
        tree.tell("it has nodes that its leaves do not make".to_owned());
    }
    let tree_size = tree.growth.size();
    if let Some(stored) = &checkpoint {
        tree.report.tell(mismatch(
            None,
            format!(
                "the checkpoint of {} leaves is larger than the tree, which has {tree_size}",
                stored.tree_size
            ),
        ));
    } else if last_checkpoint != tree_size {
        tree.report.tell(mismatch(
            None,
            format!("the tree has {tree_size} leaves, the last checkpoint {last_checkpoint}: a checkpoint is gone"),
        ));
    }
    tree_size
}

fn resume(reader: &mut Reader, from: u64) -> Option<Growth> {
    let mut tiles = Tiles::new(|place: Place| {
        reader
            .first(
                "SELECT t.hashes FROM audits.merkle_tiles AS t WHERE t.level = $1 AND t.tile_index = $2",
                &[
                    Value::Int4(i32::try_from(place.level).ok()?),
                    Value::Int8(number(place.index)),
                ],
                |row| row.bytes(0).and_then(read_hashes),
            )
            .flatten()
    });
    Growth::resume(from, &mut tiles).ok()
}

/// Whether each leaf is of one run, and each run of a checkpoint.
fn verify_runs(reader: &mut Reader, report: &mut dyn Report) {
    let gap = reader.first(
        "SELECT r.expected, r.first_leaf \
         FROM ( \
             SELECT c.first_leaf, \
                    lag(c.first_leaf + (c.last_seq - c.first_seq) + 1, 1, 0::int8) OVER (ORDER BY c.first_leaf) AS expected \
             FROM audits.checkpoint_lanes AS c \
             UNION ALL \
             SELECT max(c.tree_size), \
                    (SELECT coalesce(max(l.first_leaf + (l.last_seq - l.first_seq) + 1), 0) FROM audits.checkpoint_lanes AS l) \
             FROM audits.checkpoints AS c) AS r \
         WHERE r.first_leaf <> r.expected \
         ORDER BY r.expected LIMIT 1",
        &[],
        |row| row.int8(0).unwrap_or(0),
    );
    if let Some(leaf) = gap {
        let detail = format!("audits.checkpoint_lanes does not say which entry leaf {leaf} is");
        report.tell(mismatch(None, detail));
    }
    let orphan = reader.first(
        "SELECT l.tree_size FROM audits.checkpoint_lanes AS l \
         WHERE NOT EXISTS (SELECT FROM audits.checkpoints AS c WHERE c.tree_size = l.tree_size) \
         ORDER BY l.tree_size LIMIT 1",
        &[],
        |row| row.int8(0).unwrap_or(0),
    );
    if let Some(tree_size) = orphan {
        let detail = format!("the checkpoint of {tree_size} leaves is gone");
        report.tell(mismatch(None, detail));
    }
}

struct Tree<'a> {
    growth: Growth,
    /// What follows from the first fault is not told again.
    is_told: bool,
    report: &'a mut dyn Report,
    keys: Option<&'a Keys>,
}

impl Tree<'_> {
    fn tell(&mut self, problem: String) {
        if !std::mem::replace(&mut self.is_told, true) {
            let detail = format!("the Merkle tree is damaged: {problem}");
            self.report.tell(mismatch(None, detail));
        }
    }

    fn compare(&mut self, tile: &Tile, stored: Option<&Tile>) {
        if stored != Some(tile) {
            let Place { level, index } = tile.place;
            self.tell(format!(
                "tile {index} of level {level} is not what its leaves make it"
            ));
        }
    }

    fn verify_checkpoint(&mut self, stored: &Stored) {
        let tree_size = stored.tree_size;
        let root = (self.growth.size() == tree_size)
            .then(|| self.growth.root().ok())
            .flatten();
        let problem = if root.is_none() || root != stored.root {
            Some("its root is not that of the entries")
        } else {
            self.find_fault_of_note(stored)
        };
        if let Some(problem) = problem {
            let detail = format!("the checkpoint of {tree_size} leaves: {problem}");
            self.report.tell(mismatch(None, detail));
        }
    }

    fn find_fault_of_note(&self, stored: &Stored) -> Option<&'static str> {
        let Some(note) = Note::parse(&stored.note) else {
            return Some("its note is none");
        };
        let said = Checkpoint::parse(note.text);
        let is_of_this = said.is_some_and(|said| {
            said.tree_size == stored.tree_size
                && Some(said.root) == stored.root
                && said.origin == stored.origin
        });
        if !is_of_this {
            return Some("its note says something else");
        }
        if note.signatures.is_empty() == stored.is_signed {
            return Some("its signature was taken away, or added");
        }
        let keys = self.keys.filter(|_| stored.is_signed)?;
        match note.verify(&keys.verifiers()) {
            Signature::Valid => None,
            Signature::Forged => Some("its signature is forged"),
            Signature::Unknown => Some("its signature is by another key"),
        }
    }
}
