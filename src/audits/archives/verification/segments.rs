//! The entries of segments, one after another along their lanes.

use super::{LaneState, Verifier};
use crate::audits::archives::entry::{ArchivedEntry, Run};
use crate::audits::archives::payload::recomputed_hash;
use crate::audits::archives::stored::{read_segment, SegmentPlace, StoredSegment};
use crate::audits::encoding::Hash;
use crate::audits::erasure::verification::Bound;
use crate::audits::verification::verdict::Verdict;
use crate::codeverify::owner::as_owner;

impl Verifier<'_> {
    pub(super) fn segment(&mut self, place: SegmentPlace) {
        if self.ledger != Some(place.org_id) {
            self.finish_ledger();
            self.ledger = Some(place.org_id);
        }
        let is_wanted = self.span.touches(place.min_ts, place.max_ts);
        // One that vanishes meanwhile leaves a gap, which is told.
        let Some(segment) = read_segment(place.id, is_wanted) else {
            return;
        };
        let counted: usize = segment.runs.iter().map(Run::entries).sum();
        if counted != segment.signatures.len() {
            let (lane, seq) = segment
                .runs
                .first()
                .map_or((0, 0), |run| (run.lane, run.first_seq));
            let signatures = segment.signatures.len();
            self.find(
                lane,
                seq,
                Verdict::Altered,
                format!(
                "segment {} says that it has {counted} entries, and has {signatures} signatures",
                place.id
            ),
            );
            return;
        }
        let entries = self.entries(place, &segment);
        let mut signatures = segment.signatures.iter();
        let mut entries = entries.iter().flatten();
        for run in &segment.runs {
            self.start_run(place, &segment, is_wanted, *run);
            for (seq, signature) in (run.first_seq..=run.last_seq).zip(signatures.by_ref()) {
                self.entry(run.lane, seq, *signature, entries.next());
            }
        }
    }

    /// The entries of a segment where they are wanted and can be read.
    fn entries(
        &mut self,
        place: SegmentPlace,
        segment: &StoredSegment,
    ) -> Option<Vec<ArchivedEntry>> {
        match segment.entries()? {
            Ok(entries) => Some(entries),
            Err(problem) => {
                for run in &segment.runs {
                    self.find(
                        run.lane,
                        run.first_seq,
                        Verdict::Altered,
                        format!(
                            "entries {} to {} cannot be read from segment {}: {problem}",
                            run.first_seq, run.last_seq, place.id
                        ),
                    );
                }
                None
            }
        }
    }

    /// Whether the run goes on where its lane has got to, and was not taken away.
    fn start_run(
        &mut self,
        place: SegmentPlace,
        segment: &StoredSegment,
        is_wanted: bool,
        run: Run,
    ) {
        let state = self
            .lanes
            .get(&run.lane)
            .copied()
            .unwrap_or(LaneState::START);
        let next = state.seq.saturating_add(1);
        if run.first_seq > next {
            self.find(
                run.lane,
                next,
                Verdict::Missing,
                format!(
                    "archived entries {next} to {} are in no segment",
                    run.first_seq - 1
                ),
            );
        } else if run.first_seq < next {
            self.find(
                run.lane,
                run.first_seq,
                Verdict::Forked,
                format!(
                    "archived entry {} is in more than one segment",
                    run.first_seq
                ),
            );
        }
        if !segment.is_pruned {
            return;
        }
        let is_recorded = self.records.pruned.contains(&place.archive_id)
            && self
                .archives
                .iter()
                .any(|archive| archive.id == place.archive_id && archive.is_pruned);
        if !is_recorded {
            self.find(run.lane, run.first_seq, Verdict::Missing, format!(
                "the rows of archived entries {} to {} are gone, and the ledger has no entry about that",
                run.first_seq, run.last_seq
            ));
        } else if is_wanted {
            self.pruned
                .entry((place.archive_id, run.lane))
                .and_modify(|pruned| pruned.last_seq = run.last_seq)
                .or_insert(run);
        }
    }

    fn entry(&mut self, lane: i32, seq: i64, signature: Hash, entry: Option<&ArchivedEntry>) {
        let state = self.lanes.get(&lane).copied().unwrap_or(LaneState::START);
        if let Some(entry) = entry {
            let org_id = self.ledger.flatten();
            if (entry.org_id, entry.lane, entry.seq) != (org_id, lane, seq) {
                self.find(
                    lane,
                    seq,
                    Verdict::Misplaced,
                    format!(
                        "the archive has entry {} of lane {} in its place",
                        entry.seq, entry.lane
                    ),
                );
            } else if recomputed_hash(entry) != Some(signature) {
                self.find_entry(
                    entry,
                    Verdict::Altered,
                    "the archived entry does not have the hash that is its signature",
                );
            } else if state.seq.saturating_add(1) == seq && entry.prev_hash != state.signature {
                self.find_entry(
                    entry,
                    Verdict::Altered,
                    "prev_hash is not the signature of the archived entry before",
                );
            } else if state.ts.is_some_and(|ts| entry.ts <= ts) {
                self.find_entry(
                    entry,
                    Verdict::Reordered,
                    "ts is not later than that of the archived entry before",
                );
            }
            let bound = Bound {
                org_id: entry.org_id,
                event_id: entry.event_id,
                ts: entry.ts,
            };
            let keys = self.keys;
            let unreadable = || as_owner(|| keys.map(|keys| keys.verdicts(bound, &entry.payload)));
            for (verdict, detail) in unreadable().unwrap_or_default() {
                self.find_entry(entry, verdict, &detail);
            }
        }
        self.lanes.insert(
            lane,
            LaneState {
                seq,
                signature,
                ts: entry.map(|entry| entry.ts),
            },
        );
    }
}
