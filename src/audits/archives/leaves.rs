//! Archived entries as leaves of the Merkle tree.

use std::collections::HashMap;

use uuid::Uuid;

use super::payload::recomputed_hash;
use super::stored::{find_segments_of, read_segment};
use crate::audits::encoding::Hash;
use crate::codeverify::interrupts::check_for_interrupts;

/// Segments whose hashes are kept. A checkpoint goes from lane to lane, so the next one comes back to them.
const KEPT: usize = 256;

/// An archived entry by its place; its hash is None when it cannot be read.
type Leaf = (i32, i64, Option<Hash>);

/// Reads hashes of archived entries.
#[derive(Default)]
pub struct ArchivedLeaves {
    segments: HashMap<Uuid, Vec<Leaf>>,
}

impl ArchivedLeaves {
    /// Those of a lane from one seq to another, as far as they are archived, in order: computed anew from what was
    /// packed, or, of entries that were pruned, the signatures that were kept.
    pub fn read(
        &mut self,
        ledger: Option<Uuid>,
        lane: i32,
        first_seq: i64,
        last_seq: i64,
    ) -> Vec<(i64, Option<Hash>)> {
        let mut leaves = Vec::new();
        for id in find_segments_of(ledger, lane, first_seq, last_seq) {
            if self.segments.len() >= KEPT && !self.segments.contains_key(&id) {
                self.segments.clear();
            }
            let segment = self.segments.entry(id).or_insert_with(|| hash_segment(id));
            let is_wanted =
                |leaf: &&Leaf| leaf.0 == lane && (first_seq..=last_seq).contains(&leaf.1);
            leaves.extend(
                segment
                    .iter()
                    .filter(is_wanted)
                    .map(|(_, seq, hash)| (*seq, *hash)),
            );
        }
        leaves
    }
}

fn hash_segment(id: Uuid) -> Vec<Leaf> {
    check_for_interrupts();
    let Some(segment) = read_segment(id, true) else {
        return Vec::new();
    };
    let places = segment
        .runs
        .iter()
        .flat_map(|run| (run.first_seq..=run.last_seq).map(|seq| (run.lane, seq)))
        .take(segment.signatures.len());
    match segment.entries() {
        Some(Ok(entries)) => entries
            .iter()
            .map(|entry| (entry.lane, entry.seq, recomputed_hash(entry)))
            .collect(),
        Some(Err(_)) => places.map(|(lane, seq)| (lane, seq, None)).collect(),
        None => places
            .zip(&segment.signatures)
            .map(|((lane, seq), signature)| (lane, seq, Some(*signature)))
            .collect(),
    }
}
