//! Looks for what was changed in the archives: every entry is unpacked and hashed again, every lane followed
//! from segment to segment to where audits.lanes says it ends, every archive compared with its record in
//! the ledger.

use std::collections::{BTreeMap, HashMap, HashSet};

use uuid::Uuid;

use super::datum::Row;
use super::entry::{ArchivedEntry, Run};
use super::payload::recomputed_hash;
use super::reading;
use super::stored::{find_segments, read_segment, Scope, SegmentPlace, Span, StoredSegment};
use crate::audits::checkpoints::tree::Edge;
use crate::audits::encoding::{Hash, GENESIS};
use crate::audits::erasure::keys::ErasedKeys;
use crate::audits::verification::verdict::{Finding, Report, Verdict};
use crate::codeverify::interrupts::check_for_interrupts;
use crate::codeverify::owner::as_owner;
use crate::codeverify::query::select;
use crate::tenancy::sql::to_datum;

/// Where a lane has got to.
#[derive(Clone, Copy)]
struct LaneState {
    seq: i64,
    signature: Hash,
    /// None after entries whose rows were not read.
    ts: Option<i64>,
}

impl LaneState {
    const START: LaneState = LaneState {
        seq: 0,
        signature: GENESIS,
        ts: None,
    };
}

/// What the table audits.archives says of one of them.
struct Archive {
    id: Uuid,
    partition: String,
    entries: i64,
    segments: i64,
    root: Vec<u8>,
    is_pruned: bool,
}

/// What the ledger itself says of the archives.
#[derive(Default)]
struct Records {
    /// Their roots, in hexadecimal.
    roots: HashMap<Uuid, String>,
    pruned: HashSet<Uuid>,
}

/// Verifies the archived entries of a scope, and hands what is wrong to `report`. Rows outside of the span
/// are not unpacked, but the chain through them is followed by their signatures.
pub fn verify(scope: Scope, span: Span, report: &mut dyn Report) {
    let archives = find_archives();
    let records = Records::find(&archives);
    let erased = ErasedKeys::load();
    let mut verifier = Verifier {
        span,
        erased: &erased,
        archives: &archives,
        records: &records,
        report,
        ledger: None,
        lanes: BTreeMap::new(),
        pruned: BTreeMap::new(),
    };
    for place in find_segments(scope) {
        check_for_interrupts();
        verifier.segment(place);
    }
    verifier.finish_ledger();
    verifier.vanished_ledgers(scope);
    if scope == Scope::All {
        verifier.archives();
    }
}

/// The ends of the archived part of a ledger's lanes: of those that have one, by lane, with seq and signature.
pub fn archived_ends(org_id: Option<Uuid>) -> Vec<(i32, i64, Option<Hash>)> {
    as_owner(|| {
        select(
            "SELECT lane, archived_seq, archived_signature FROM audits.lanes \
             WHERE (org_id = $1 OR $1 IS NULL AND org_id IS NULL) AND archived_seq > 0 \
             ORDER BY lane",
            &[org_id.map(to_datum).into()],
            |mut rows| {
                let mut ends = Vec::with_capacity(rows.len());
                while rows.next().is_some() {
                    let row = Row(&rows);
                    if let (Some(lane), Some(seq)) = (row.int4(1)?, row.int8(2)?) {
                        ends.push((lane, seq, row.hash(3)?));
                    }
                }
                Ok(ends)
            },
        )
    })
}

struct Verifier<'a> {
    span: Span,
    erased: &'a ErasedKeys,
    archives: &'a [Archive],
    records: &'a Records,
    report: &'a mut dyn Report,
    /// The ledger that is being gone through, once there is one.
    ledger: Option<Option<Uuid>>,
    lanes: BTreeMap<i32, LaneState>,
    /// By archive and lane, what was pruned of the ledger.
    pruned: BTreeMap<(Uuid, i32), Run>,
}

impl Verifier<'_> {
    fn find(&mut self, lane: i32, seq: i64, verdict: Verdict, detail: String) {
        let org_id = self.ledger.flatten();
        self.report.tell(Finding {
            ledger: org_id,
            lane: Some(lane),
            seq: Some(seq),
            id: None,
            ts: None,
            verdict,
            detail,
        });
    }

    fn find_entry(&mut self, entry: &ArchivedEntry, verdict: Verdict, detail: &str) {
        if !self.span.contains(super::postgres_micros(entry.ts)) {
            return;
        }
        let org_id = self.ledger.flatten();
        self.report.tell(Finding {
            ledger: org_id,
            lane: Some(entry.lane),
            seq: Some(entry.seq),
            id: Some(entry.id),
            ts: Some(entry.ts),
            verdict,
            detail: detail.to_owned(),
        });
    }

    fn segment(&mut self, place: SegmentPlace) {
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
            for subject in self.erased.subjects_in(&entry.payload) {
                let detail = format!("the personal fields of {subject} have been erased");
                self.find_entry(entry, Verdict::Erased, &detail);
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

    /// Compares where the lanes have got to with where they should.
    fn finish_ledger(&mut self) {
        let Some(org_id) = self.ledger else {
            return;
        };
        for ((archive, lane), run) in std::mem::take(&mut self.pruned) {
            self.find(
                lane,
                run.first_seq,
                Verdict::Pruned,
                format!(
                "entries {} to {} were deleted with archive {archive}; their signatures are there",
                run.first_seq, run.last_seq
            ),
            );
        }
        let mut lanes = std::mem::take(&mut self.lanes);
        for (lane, seq, signature) in archived_ends(org_id) {
            let state = lanes.remove(&lane).unwrap_or(LaneState::START);
            if state.seq < seq {
                let next = state.seq + 1;
                self.find(
                    lane,
                    next,
                    Verdict::Missing,
                    format!("archived entries {next} to {seq} are in no segment"),
                );
            } else if state.seq > seq || signature != Some(state.signature) {
                self.find(
                    lane,
                    state.seq,
                    Verdict::HeadMismatch,
                    format!(
                    "audits.lanes has another end of the archived entries, {seq}, than the segments"
                ),
                );
            }
        }
        for (lane, state) in lanes {
            self.find(
                lane,
                state.seq,
                Verdict::HeadMismatch,
                "audits.lanes does not know that entries of the lane are archived".to_owned(),
            );
        }
        self.ledger = None;
    }

    /// Ledgers of which something was archived, and no segment is left.
    fn vanished_ledgers(&mut self, scope: Scope) {
        let (all, asked) = match scope {
            Scope::All => (true, None),
            Scope::Ledger(org_id) => (false, org_id),
        };
        let vanished = as_owner(|| {
            select(
                "SELECT l.org_id, l.lane, l.archived_seq \
                 FROM audits.lanes AS l \
                 WHERE l.archived_seq > 0 \
                   AND ($1 OR l.org_id = $2 OR $2 IS NULL AND l.org_id IS NULL) \
                   AND NOT EXISTS ( \
                       SELECT FROM audits.archive_segments AS s \
                       JOIN audits.archives AS a ON a.id = s.archive_id \
                       WHERE coalesce(s.org_id, '00000000-0000-0000-0000-000000000000') \
                             = coalesce(l.org_id, '00000000-0000-0000-0000-000000000000')) \
                 ORDER BY l.org_id NULLS FIRST, l.lane",
                &[all.into(), asked.map(to_datum).into()],
                |mut rows| {
                    let mut found = Vec::new();
                    while rows.next().is_some() {
                        let row = Row(&rows);
                        if let (Some(lane), Some(seq)) = (row.int4(2)?, row.int8(3)?) {
                            found.push((row.uuid(1)?, lane, seq));
                        }
                    }
                    Ok(found)
                },
            )
        });
        for (org_id, lane, seq) in vanished {
            self.ledger = Some(org_id);
            self.find(
                lane,
                1,
                Verdict::Missing,
                format!("archived entries 1 to {seq} are in no segment"),
            );
        }
        self.ledger = None;
    }

    /// Compares each archive with what the ledger recorded of it.
    fn archives(&mut self) {
        let whole = |verdict, detail| Finding {
            ledger: None,
            lane: None,
            seq: None,
            id: None,
            ts: None,
            verdict,
            detail,
        };
        for archive in self.archives {
            let Archive { id, partition, .. } = archive;
            let contents = Contents::of(*id);
            if (contents.segments, contents.entries) != (archive.segments, archive.entries) {
                self.report.tell(whole(Verdict::Missing, format!(
                    "archive {id} of {partition} should have {} entries in {} segments and has {} in {}",
                    archive.entries, archive.segments, contents.entries, contents.segments
                )));
            }
            let root = hex::encode(contents.root.root());
            if archive.root != contents.root.root() {
                self.report.tell(whole(
                    Verdict::Altered,
                    format!("the signatures of archive {id} of {partition} do not give its root"),
                ));
            }
            match self.records.roots.get(id) {
                None => self.report.tell(whole(Verdict::Missing, format!(
                    "the ledger has no entry about archive {id} of {partition}"
                ))),
                Some(recorded) if *recorded != root => self.report.tell(whole(Verdict::Altered, format!(
                    "the ledger has another root of archive {id} of {partition} than its signatures give"
                ))),
                Some(_) => {}
            }
        }
        let known: HashSet<Uuid> = self.archives.iter().map(|archive| archive.id).collect();
        for id in self.records.roots.keys().filter(|id| !known.contains(id)) {
            self.report.tell(whole(
                Verdict::Missing,
                format!("archive {id}, which the ledger tells of, is gone"),
            ));
        }
    }
}

/// What an archive's segments add up to.
#[derive(Default)]
struct Contents {
    entries: i64,
    segments: i64,
    root: Edge,
}

impl Contents {
    fn of(archive: Uuid) -> Contents {
        let segments: Vec<Uuid> = as_owner(|| {
            select(
                "SELECT s.id FROM audits.archive_segments AS s WHERE s.archive_id = $1 ORDER BY s.place",
                &[to_datum(archive).into()],
                |mut rows| {
                    let mut ids = Vec::with_capacity(rows.len());
                    while rows.next().is_some() {
                        ids.extend(Row(&rows).uuid(1)?);
                    }
                    Ok(ids)
                },
            )
        });
        let mut contents = Contents::default();
        for segment in segments
            .into_iter()
            .filter_map(|id| read_segment(id, false))
        {
            check_for_interrupts();
            contents.segments += 1;
            contents.entries += segment.signatures.len() as i64;
            for signature in segment.signatures {
                contents.root.push(signature);
            }
        }
        contents
    }
}

fn find_archives() -> Vec<Archive> {
    as_owner(|| {
        select(
            "SELECT a.id, a.partition_name, a.entries, a.segments::bigint, a.root, (a.pruned_at IS NOT NULL)::int \
             FROM audits.archives AS a \
             ORDER BY a.until_ts, a.id",
            &[],
            |mut rows| {
                let mut archives = Vec::with_capacity(rows.len());
                while rows.next().is_some() {
                    let row = Row(&rows);
                    if let Some(id) = row.uuid(1)? {
                        archives.push(Archive {
                            id,
                            partition: row.text(2)?.unwrap_or_default(),
                            entries: row.int8(3)?.unwrap_or_default(),
                            segments: row.int8(4)?.unwrap_or_default(),
                            root: row.bytes(5)?.unwrap_or_default(),
                            is_pruned: row.int4(6)? == Some(1),
                        });
                    }
                }
                Ok(archives)
            },
        )
    })
}

impl Records {
    /// From the live part of the platform's ledger and, for what is not there any more, from its archived part.
    fn find(archives: &[Archive]) -> Records {
        let mut records = Records::default();
        let live = as_owner(|| {
            select(
                "SELECT e.action, e.resource_id, e.payload ->> 'root' \
                 FROM audits.audit_log AS e \
                 WHERE e.org_id IS NULL \
                   AND e.entity = 'audits.audit_log' \
                   AND e.action IN ('partition.archived', 'archive.pruned')",
                &[],
                |mut rows| {
                    let mut found = Vec::with_capacity(rows.len());
                    while rows.next().is_some() {
                        let row = Row(&rows);
                        if let (Some(action), Some(archive)) = (row.text(1)?, row.uuid(2)?) {
                            found.push((action, archive, row.text(3)?));
                        }
                    }
                    Ok(found)
                },
            )
        });
        for (action, archive, root) in live {
            records.add(&action, archive, root);
        }
        let is_complete = archives.iter().all(|archive| {
            records.roots.contains_key(&archive.id)
                && (!archive.is_pruned || records.pruned.contains(&archive.id))
        });
        if !is_complete {
            // A damaged segment ends this; verification tells of it by itself.
            for entry in reading::read(Scope::Ledger(None), Span::default()).flatten() {
                if let (Some("audits.audit_log"), Some(archive)) =
                    (entry.entity.as_deref(), entry.resource_id)
                {
                    let root = serde_json::from_str::<serde_json::Value>(&entry.payload)
                        .ok()
                        .and_then(|payload| Some(payload.get("root")?.as_str()?.to_owned()));
                    records.add(&entry.action, archive, root);
                }
            }
        }
        records
    }

    fn add(&mut self, action: &str, archive: Uuid, root: Option<String>) {
        match action {
            "partition.archived" => {
                self.roots.insert(archive, root.unwrap_or_default());
            }
            "archive.pruned" => {
                self.pruned.insert(archive);
            }
            _ => {}
        }
    }
}
