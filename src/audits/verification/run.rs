//! Glue: a verification from beginning to end.

use uuid::Uuid;

use super::checkpoints::{
    mismatch, read_lane_leaves, sum_entries, tell_first_difference, verify_tree, LaneLeaves,
};
use super::explanation::Suspect;
use super::known::{judge, Known, Pass};
use super::reader::{in_ledger, Reader, Record, Value};
use super::row::{Row, COLUMNS};
use super::tally::{Key, Sum, Tally};
use super::verdict::{places, Finding, Report, Verdict};
use super::walk::{self, Break, Doubts, Walk};
use crate::audits::archives::{self, stored};
use crate::audits::chain::held::{Head, Ledger};
use crate::audits::checkpoints::key_file::Keys;
use crate::audits::erasure;
use crate::codeverify::progress::{Operation, Progress};

/// How many altered entries and broken links are looked into for where they come from; the others are told of as
/// they are.
const MOST_DOUBTS: usize = 256;

/// How much memory the contents of altered entries may take.
const MOST_SUSPECT_BYTES: usize = 8 << 20;

/// Which entries are verified.
#[derive(Clone, Copy, Debug)]
pub struct Scope {
    /// One organization's ledger; None for all ledgers, the platform's own included.
    pub organization: Option<Uuid>,
    /// From this time on, in microseconds since 1970.
    pub since: Option<i64>,
    /// Before this time.
    pub until: Option<i64>,
    /// Only what has come since each lane was found intact, and since the tree was when it had this size.
    pub since_verified: Option<u64>,
}

impl Scope {
    /// Whether lanes are verified from one end to the other.
    fn is_whole(&self) -> bool {
        self.since.is_none() && self.until.is_none()
    }

    /// Whether it is all that there is, so that the tree can be verified too.
    pub fn is_everything(&self) -> bool {
        self.is_whole() && self.organization.is_none()
    }
}

/// What has been verified.
#[derive(Clone, Copy, Debug, Default)]
pub struct Outcome {
    pub entries: u64,
    pub lanes: u64,
    /// Leaves of the Merkle tree; None when it was not verified.
    pub tree_size: Option<u64>,
}

/// A lane that is intact, and its last entry.
#[derive(Clone, Copy, Debug)]
pub struct Verified {
    pub ledger: Ledger,
    pub lane: i32,
    pub head: Head,
}

/// Verifies, reports what it finds, and hands over the lanes that are intact.
pub fn verify(
    scope: Scope,
    key: Key,
    keys: Option<&Keys>,
    report: &mut dyn Report,
    verified: &mut dyn FnMut(Verified),
) -> Outcome {
    Reader::open(|reader| {
        let mut run = Run {
            scope,
            key,
            reader,
            report,
            verified,
            doubts: Notebook::default(),
            outcome: Outcome::default(),
        };
        let mut progress = Progress::start(Operation::Verify, run.estimate());
        match scope.since_verified {
            Some(_) => run.walk_new_entries(&mut progress),
            None => {
                run.pass();
                run.check_partitions();
                run.read_archives();
            }
        }
        run.explain();
        if scope.is_everything() {
            let from = scope.since_verified.unwrap_or(0);
            let tree_size = verify_tree(run.reader, run.report, keys, from);
            run.outcome.tree_size = Some(tree_size);
        }
        run.outcome
    })
}

struct Run<'a> {
    scope: Scope,
    key: Key,
    reader: &'a mut Reader,
    report: &'a mut dyn Report,
    verified: &'a mut dyn FnMut(Verified),
    doubts: Notebook,
    outcome: Outcome,
}

/// Entries and links whose fault is told when the whole ledger has been seen.
#[derive(Default)]
struct Notebook {
    /// With whether they have been told of.
    altered: Vec<(Ledger, i32, walk::Entry, bool)>,
    broken: Vec<(Ledger, i32, Break)>,
}

/// Takes down what a walk along one lane doubts.
struct LaneNotes<'a> {
    ledger: Ledger,
    lane: i32,
    notebook: &'a mut Notebook,
}

impl Doubts for LaneNotes<'_> {
    fn altered(&mut self, entry: &walk::Entry, is_told: bool) {
        self.notebook
            .altered
            .push((self.ledger, self.lane, *entry, is_told));
    }

    fn broken(&mut self, between: Break) {
        self.notebook.broken.push((self.ledger, self.lane, between));
    }
}

/// An entry beyond those that are verified, and its link to them.
struct Beyond {
    head: Head,
    prev_hash: Option<[u8; 32]>,
}

impl Run<'_> {
    /// About how many entries there are.
    fn estimate(&mut self) -> usize {
        let sql = "SELECT coalesce(sum(greatest(c.reltuples, 0)), 0)::int8 \
            FROM pg_catalog.pg_partition_tree('audits.audit_log') AS t \
            JOIN pg_catalog.pg_class AS c ON c.oid = t.relid \
            WHERE t.isleaf";
        let rows = self.reader.first(sql, &[], |row| row.int8(0)).flatten();
        rows.and_then(|rows| usize::try_from(rows).ok())
            .unwrap_or(0)
    }

    /// Verifies what has left for archives, and tells whose personal fields were erased.
    fn read_archives(&mut self) {
        let scope = match self.scope.organization {
            Some(organization) => stored::Scope::Ledger(Some(organization)),
            None => stored::Scope::All,
        };
        let span = stored::Span::since_1970(self.scope.since, self.scope.until);
        archives::verification::verify(scope, span, self.report);
        erasure::verification::tell_erased(scope, span, self.report);
    }

    /// Reads all entries once, and walks along the lanes that need it.
    fn pass(&mut self) {
        let organization = match self.scope.organization {
            Some(_) => "a.org_id = $1",
            None => "$1::uuid IS NULL",
        };
        let known_lanes = known_lanes(organization);
        let sql = format!(
            "SELECT coalesce(t.org_id, l.org_id), coalesce(t.lane, l.lane), t.tally, {LANE} \
             FROM ( \
                 SELECT a.org_id, a.lane, audits.tally({COLUMNS}, $4, $5) AS tally \
                 FROM audits.audit_log AS a \
                 WHERE {organization} \
                   AND ($2 IS NULL OR a.ts >= $2) \
                   AND ($3 IS NULL OR a.ts < $3) \
                 GROUP BY a.org_id, a.lane) AS t \
             FULL JOIN ({known_lanes}) AS l \
                 ON coalesce(l.org_id::text, '') = coalesce(t.org_id::text, '') AND l.lane = t.lane \
             ORDER BY 1 NULLS FIRST, 2"
        );
        let values = [
            Value::Uuid(self.scope.organization),
            Value::Time(self.scope.since),
            Value::Time(self.scope.until),
            Value::Int8(self.key.0 as i64),
            Value::Int8(self.key.1 as i64),
        ];
        let mut lanes = self.reader.spool(&sql, &values);
        while let Some((ledger, lane, tally, known)) = lanes.next(|row| {
            let tally = row.bytes(2).and_then(Tally::from_bytes);
            (
                row.uuid(0),
                row.int4(1).unwrap_or(0),
                tally,
                read_known(&row, 3),
            )
        }) {
            self.outcome.lanes += 1;
            self.outcome.entries += tally.as_ref().map_or(0, |tally| tally.count);
            self.tell_archived(ledger, lane, &known);
            self.verify_lane(ledger, lane, tally, &known);
        }
    }

    fn tell_archived(&mut self, ledger: Ledger, lane: i32, known: &Known) {
        let archived = known.archived;
        if archived.seq == 0 || self.scope.since.is_some_and(|since| since > archived.ts) {
            return;
        }
        self.report.tell(Finding {
            ledger,
            lane: Some(lane),
            seq: Some(archived.seq),
            id: None,
            ts: Some(archived.ts),
            verdict: Verdict::Pruned,
            detail: format!("{} have left for archives", places(1, archived.seq)),
        });
    }

    fn verify_lane(&mut self, ledger: Ledger, lane: i32, tally: Option<Tally>, known: &Known) {
        let known = &mut known.clone();
        let leaves = self.read_leaves(ledger, lane, known);
        let start = self.find_start(ledger, lane, tally.as_ref(), known);
        let end = self.find_end(ledger, lane, tally.as_ref(), start);
        let points: Vec<_> = known
            .points()
            .filter(|(_, head)| head.seq > start.seq)
            .filter(|(_, head)| end.as_ref().is_none_or(|end| head.seq < end.head.seq))
            .collect();
        let last = match &tally {
            Some(tally) => Head {
                seq: tally.last.seq,
                signature: tally.last.hash,
                ts: tally.last.ts,
            },
            None => start,
        };
        let is_chain = tally
            .as_ref()
            .is_none_or(|tally| match judge(tally, start) {
                Pass::Intact => true,
                Pass::TimesUnknown => self.times_rise(ledger, lane, tally),
                Pass::Walk => false,
            });
        let fits_end = end.as_ref().is_none_or(|end| {
            end.head.seq == last.seq + 1
                && end.prev_hash == Some(last.signature)
                && end.head.ts > last.ts
        });
        // A lane is known from its first entry on.
        let is_there = last.seq > 0 || !self.scope.is_whole();
        let fits_points = is_chain
            && points.iter().all(|(_, point)| {
                if point.seq == last.seq {
                    return point.signature == last.signature;
                }
                point.seq < last.seq
                    && self
                        .find_entry(ledger, lane, point.seq)
                        .is_some_and(|entry| entry.head.signature == point.signature)
            });
        if is_chain && fits_end && fits_points && is_there {
            let fits_tree = leaves.is_none_or(|leaves| {
                let sum = self.sum_before(ledger, lane, tally.as_ref(), leaves.last.seq);
                self.fits_leaves(ledger, lane, &leaves, sum)
            });
            if !fits_tree {
                return;
            }
            (self.verified)(Verified {
                ledger,
                lane,
                head: last,
            });
            return;
        }
        if leaves.is_some() {
            tell_first_difference(self.reader, self.report, ledger, lane);
        }
        let mut walk = Walk::new(ledger, lane, start, points);
        self.walk(&mut walk, ledger, lane, start.seq, end.as_ref());
        if let Some(end) = &end {
            if end.head.seq > walk.place() + 1 {
                let (first, last) = (walk.place() + 1, end.head.seq - 1);
                walk.tell_gone(self.report, first, last, Verdict::Missing, "");
            }
        }
        if !is_there && walk.faults == 0 {
            let how_known = ": audits.lanes has the lane, which is empty";
            walk.tell_gone(self.report, 1, 1, Verdict::Truncated, how_known);
        }
        if walk.faults == 0 {
            let detail = match tally {
                Some(tally) if tally.count != walk.entries => format!(
                    "the table has {} entries and its index {}: rebuild it with REINDEX and verify again",
                    tally.count, walk.entries
                ),
                _ => "its entries do not fit those beside the time that was asked for".to_owned(),
            };
            self.report.tell(Finding {
                ledger,
                lane: Some(lane),
                seq: None,
                id: None,
                ts: None,
                verdict: Verdict::Forked,
                detail,
            });
        }
    }

    /// What the tree has of a lane. Its last leaf is an entry that is known, whatever audits.lanes says.
    fn read_leaves(&mut self, ledger: Ledger, lane: i32, known: &mut Known) -> Option<LaneLeaves> {
        if !self.scope.is_whole() {
            return None;
        }
        let from = self.scope.since_verified.unwrap_or(0);
        let archived = known.archived.seq;
        let leaves = read_lane_leaves(self.reader, ledger, lane, from, archived, self.key);
        let in_lanes = known.checkpointed.map_or(0, |head| head.seq);
        let in_tree = leaves.map_or(0, |leaves| leaves.last.seq);
        if from == 0 && in_lanes != in_tree {
            let detail = format!(
                "audits.lanes has entries up to {in_lanes} in checkpoints, the Merkle tree up to {in_tree}"
            );
            self.report
                .tell(mismatch(Some((ledger, lane, None)), detail));
        }
        if let Some(leaves) = leaves.filter(|_| in_tree > in_lanes) {
            known.checkpointed = Some(leaves.last);
        }
        leaves
    }

    /// The sum of a lane's entries up to one.
    fn sum_before(&mut self, ledger: Ledger, lane: i32, tally: Option<&Tally>, last: i64) -> Sum {
        let Some(tally) = tally.filter(|tally| tally.first.seq <= last) else {
            return Sum::default();
        };
        let (first, end) = (tally.first.seq, tally.last.seq);
        if last >= end {
            tally.signatures()
        } else if end - last < last - first {
            // Fewer are to be taken away than to be added.
            let later = sum_entries(self.reader, ledger, lane, (last + 1, end), self.key);
            tally.signatures().without(later)
        } else {
            sum_entries(self.reader, ledger, lane, (first, last), self.key)
        }
    }

    /// Whether a lane's leaves are its entries, whose sum is given.
    fn fits_leaves(&mut self, ledger: Ledger, lane: i32, leaves: &LaneLeaves, sum: Sum) -> bool {
        let is_from_start = self.scope.since_verified.unwrap_or(0) > 0 || leaves.first_seq == 1;
        let gap = if is_from_start { leaves.gap } else { Some(1) };
        if let Some(seq) = gap {
            let detail = "audits.checkpoint_lanes does not have each entry once from here on";
            let place = Some((ledger, lane, Some(seq)));
            self.report.tell(mismatch(place, detail.to_owned()));
            return false;
        }
        if leaves.missing == 0 && leaves.sum == sum {
            return true;
        }
        if !tell_first_difference(self.reader, self.report, ledger, lane) {
            let detail = "leaves of the Merkle tree are not the lane's entries".to_owned();
            self.report
                .tell(mismatch(Some((ledger, lane, None)), detail));
        }
        false
    }

    /// Walks along a lane, from after `start` to before `end`.
    fn walk(
        &mut self,
        walk: &mut Walk,
        ledger: Ledger,
        lane: i32,
        start: i64,
        end: Option<&Beyond>,
    ) -> Option<Head> {
        let (condition, argument) = in_ledger(ledger);
        let sql = format!(
            "SELECT {COLUMNS} FROM audits.audit_log AS a \
             WHERE {condition} AND a.lane = $2 AND a.seq > $3 AND a.seq < $4 \
             ORDER BY a.seq, a.id"
        );
        let values = [
            argument,
            Value::Int4(lane),
            Value::Int8(start),
            Value::Int8(end.map_or(i64::MAX, |end| end.head.seq)),
        ];
        let mut notes = LaneNotes {
            ledger,
            lane,
            notebook: &mut self.doubts,
        };
        let report = &mut *self.report;
        self.reader.each(&sql, &values, |record| {
            // SAFETY: the values are those of COLUMNS and live during the call.
            let row = unsafe { Row::read(|place| record.get(place)) };
            walk.step(row.walked(), report, &mut notes);
            true
        });
        let last = walk.finish(report, &mut notes);
        self.tell_surplus();
        last
    }

    /// Whether each entry is later than the one before it, as far as a tally reaches.
    fn times_rise(&mut self, ledger: Ledger, lane: i32, tally: &Tally) -> bool {
        let (condition, argument) = in_ledger(ledger);
        let sql = format!(
            "SELECT a.ts::timestamptz FROM audits.audit_log AS a \
             WHERE {condition} AND a.lane = $2 AND a.seq BETWEEN $3 AND $4 \
             ORDER BY a.seq"
        );
        let values = [
            argument,
            Value::Int4(lane),
            Value::Int8(tally.first.seq),
            Value::Int8(tally.last.seq),
        ];
        let mut last = None;
        let mut rises = true;
        self.reader.each(&sql, &values, |row| {
            let time = row.time(0);
            rises = time > last;
            last = time;
            rises
        });
        rises
    }

    /// What the first of the entries that are verified must continue.
    fn find_start(
        &mut self,
        ledger: Ledger,
        lane: i32,
        tally: Option<&Tally>,
        known: &Known,
    ) -> Head {
        let Some(since) = self.scope.since else {
            return known.archived;
        };
        let before_first = tally.and_then(|tally| tally.first.seq.checked_sub(1));
        if before_first.is_some_and(|seq| seq <= known.archived.seq) {
            return known.archived;
        }
        let neighbour = before_first
            .and_then(|seq| self.find_entry(ledger, lane, seq))
            .filter(|entry| entry.head.ts < since);
        neighbour
            .or_else(|| self.find_beside(ledger, lane, "a.ts < $3", "DESC", since))
            .map_or(known.archived, |entry| entry.head)
    }

    /// The first entry after those that are verified.
    fn find_end(
        &mut self,
        ledger: Ledger,
        lane: i32,
        tally: Option<&Tally>,
        start: Head,
    ) -> Option<Beyond> {
        let until = self.scope.until?;
        let last = tally.map_or(start.seq, |tally| tally.last.seq);
        let neighbour = self
            .find_entry(ledger, lane, last.saturating_add(1))
            .filter(|entry| entry.head.ts >= until);
        neighbour.or_else(|| self.find_beside(ledger, lane, "a.ts >= $3", "ASC", until))
    }

    fn find_entry(&mut self, ledger: Ledger, lane: i32, seq: i64) -> Option<Beyond> {
        let (condition, argument) = in_ledger(ledger);
        let sql = format!(
            "SELECT a.seq::int8, a.signature::text, a.ts::timestamptz, a.prev_hash::text \
             FROM audits.audit_log AS a WHERE {condition} AND a.lane = $2 AND a.seq = $3 LIMIT 1"
        );
        let values = [argument, Value::Int4(lane), Value::Int8(seq)];
        self.reader.first(&sql, &values, read_beyond).flatten()
    }

    fn find_beside(
        &mut self,
        ledger: Ledger,
        lane: i32,
        time: &str,
        order: &str,
        limit: i64,
    ) -> Option<Beyond> {
        let (condition, argument) = in_ledger(ledger);
        let sql = format!(
            "SELECT a.seq::int8, a.signature::text, a.ts::timestamptz, a.prev_hash::text \
             FROM audits.audit_log AS a WHERE {condition} AND a.lane = $2 AND {time} \
             ORDER BY a.ts {order} LIMIT 1"
        );
        let values = [argument, Value::Int4(lane), Value::Time(Some(limit))];
        self.reader.first(&sql, &values, read_beyond).flatten()
    }

    /// Walks along every lane from where it was intact.
    fn walk_new_entries(&mut self, progress: &mut Progress) {
        let known_lanes = known_lanes("true");
        let sql = format!(
            "WITH RECURSIVE used AS ( \
                 (SELECT a.org_id, a.lane FROM audits.audit_log AS a WHERE a.org_id IS NOT NULL \
                  ORDER BY a.org_id, a.lane LIMIT 1) \
                 UNION ALL \
                 SELECT n.org_id, n.lane FROM used AS u CROSS JOIN LATERAL ( \
                     SELECT a.org_id, a.lane FROM audits.audit_log AS a \
                     WHERE (a.org_id, a.lane) > (u.org_id, u.lane) \
                     ORDER BY a.org_id, a.lane LIMIT 1) AS n), \
             present AS ( \
                 SELECT u.org_id, u.lane FROM used AS u \
                 UNION ALL \
                 SELECT NULL::uuid, n.lane FROM generate_series(0, 31) AS n (lane) \
                 WHERE EXISTS (SELECT FROM audits.audit_log AS a WHERE a.org_id IS NULL AND a.lane = n.lane)) \
             SELECT coalesce(t.org_id, l.org_id), coalesce(t.lane, l.lane), {LANE} \
             FROM present AS t \
             FULL JOIN ({known_lanes}) AS l \
                 ON coalesce(l.org_id::text, '') = coalesce(t.org_id::text, '') AND l.lane = t.lane \
             ORDER BY 1 NULLS FIRST, 2"
        );
        let mut lanes = self.reader.spool_by_index(&sql, &[]);
        while let Some((ledger, lane, known)) =
            lanes.next(|row| (row.uuid(0), row.int4(1).unwrap_or(0), read_known(&row, 2)))
        {
            self.outcome.lanes += 1;
            self.tell_archived(ledger, lane, &known);
            let mut known = known;
            let leaves = self.read_leaves(ledger, lane, &mut known);
            let verified = known.verified.filter(|head| head.seq > known.archived.seq);
            let still_there = verified.filter(|head| {
                self.find_entry(ledger, lane, head.seq)
                    .is_some_and(|entry| entry.head.signature == head.signature)
            });
            // What was intact and is no longer there takes a walk from the beginning to say what has become of it.
            let start = if verified.is_some() {
                still_there.unwrap_or(known.archived)
            } else {
                known.archived
            };
            let points: Vec<_> = known
                .points()
                .filter(|(_, head)| head.seq > start.seq)
                .collect();
            let mut walk = Walk::new(ledger, lane, start, points);
            let last = self.walk(&mut walk, ledger, lane, start.seq, None);
            if walk.place() == 0 && walk.faults == 0 {
                let how_known = ": audits.lanes has the lane, which is empty";
                walk.tell_gone(self.report, 1, 1, Verdict::Truncated, how_known);
            }
            self.outcome.entries += walk.entries;
            progress.advance(usize::try_from(walk.entries).unwrap_or(0));
            let fits_tree = leaves.is_none_or(|leaves| {
                let first = leaves.first_seq.max(known.archived.seq + 1);
                let sum = sum_entries(
                    self.reader,
                    ledger,
                    lane,
                    (first, leaves.last.seq),
                    self.key,
                );
                self.fits_leaves(ledger, lane, &leaves, sum)
            });
            if !fits_tree {
                continue;
            }
            if let Some(head) = last.filter(|_| walk.faults == 0) {
                (self.verified)(Verified { ledger, lane, head });
            }
        }
    }

    /// Finds entries in partitions that their times do not belong to, where queries with times do not look.
    fn check_partitions(&mut self) {
        let sql =
            "SELECT t.relid::regclass::text, pg_catalog.pg_get_partition_constraintdef(t.relid) \
            FROM pg_catalog.pg_partition_tree('audits.audit_log') AS t WHERE t.isleaf";
        let mut partitions: Vec<(String, String)> = Vec::new();
        self.reader.each(sql, &[], |row| {
            if let (Some(name), Some(constraint)) = (row.text(0), row.text(1)) {
                partitions.push((name.to_owned(), constraint.to_owned()));
            }
            true
        });
        for (name, constraint) in partitions {
            // Within bounds when the first and the last are; but what is in a DEFAULT partition may be anywhere.
            let is_range = !constraint.contains("(NOT (");
            let ends = format!(
                "SELECT true FROM (VALUES \
                     ((SELECT min(ts) FROM ONLY {name})), ((SELECT max(ts) FROM ONLY {name}))) AS a (ts) \
                 WHERE a.ts IS NOT NULL AND NOT ({constraint})"
            );
            if is_range && self.reader.first(&ends, &[], |_| ()).is_none() {
                continue;
            }
            let organization = match self.scope.organization {
                Some(_) => "a.org_id = $1",
                None => "$1::uuid IS NULL",
            };
            let strays = format!(
                "SELECT a.org_id, a.lane, a.seq, a.id, a.ts FROM ONLY {name} AS a \
                 WHERE {organization} \
                   AND ($2 IS NULL OR a.ts >= $2) \
                   AND ($3 IS NULL OR a.ts < $3) \
                   AND NOT ({constraint})"
            );
            let values = [
                Value::Uuid(self.scope.organization),
                Value::Time(self.scope.since),
                Value::Time(self.scope.until),
            ];
            let report = &mut *self.report;
            self.reader.each(&strays, &values, |row| {
                report.tell(Finding {
                    ledger: row.uuid(0),
                    lane: row.int4(1),
                    seq: row.int8(2),
                    id: row.int8(3),
                    ts: row.time(4),
                    verdict: Verdict::Misplaced,
                    detail: format!("partition {name} is not the one for its ts"),
                });
                true
            });
        }
    }

    /// Tells of altered entries past the number that is looked into.
    fn tell_surplus(&mut self) {
        while self.doubts.altered.len() > MOST_DOUBTS {
            if let Some((ledger, lane, entry, false)) = self.doubts.altered.pop() {
                self.tell_altered(ledger, lane, &entry);
            }
        }
        while self.doubts.broken.len() > MOST_DOUBTS {
            if let Some((ledger, lane, between)) = self.doubts.broken.pop() {
                self.tell_hashed_anew(ledger, lane, &between);
            }
        }
    }

    /// Says what has become of altered entries and why links are broken.
    fn explain(&mut self) {
        self.explain_altered();
        self.explain_broken();
    }

    fn explain_altered(&mut self) {
        let altered = std::mem::take(&mut self.doubts.altered);
        if altered.is_empty() {
            return;
        }
        let mut suspects: Vec<Suspect> = Vec::new();
        let mut size = 0;
        for (ledger, lane, entry, _) in &altered {
            if let Some(suspect) = self.find_suspect(*ledger, *lane, entry) {
                size += suspect.size();
                if size > MOST_SUSPECT_BYTES {
                    break;
                }
                suspects.push(suspect);
            }
        }
        let mut lanes: Vec<(Ledger, i32)> = Vec::new();
        let sql = "SELECT l.org_id, l.lane FROM audits.lanes AS l LIMIT 10000";
        self.reader.each(sql, &[], |row| {
            lanes.extend(row.int4(1).map(|lane| (row.uuid(0), lane)));
            true
        });
        for (ledger, lane, entry, is_told) in &altered {
            let suspect = suspects.iter().find(|suspect| {
                suspect.place == (*ledger, *lane, entry.seq) && suspect.id == entry.id
            });
            let origin = suspect.and_then(|suspect| suspect.origin(&suspects, &lanes));
            match origin {
                None if *is_told => {}
                None => self.tell_altered(*ledger, *lane, entry),
                Some((other, of_lane, seq)) => {
                    let is_same_lane = (other, of_lane) == (*ledger, *lane);
                    let verdict = if is_same_lane {
                        Verdict::Reordered
                    } else {
                        Verdict::Misplaced
                    };
                    let place = self.name_place(*ledger, *lane, other, of_lane);
                    let detail = format!("it was made as entry {seq}{place}");
                    self.tell(*ledger, *lane, entry, verdict, detail);
                }
            }
        }
    }

    fn find_suspect(&mut self, ledger: Ledger, lane: i32, entry: &walk::Entry) -> Option<Suspect> {
        let (condition, argument) = in_ledger(ledger);
        let sql = format!(
            "SELECT {COLUMNS} FROM audits.audit_log AS a \
             WHERE {condition} AND a.lane = $2 AND a.seq = $3 AND a.id = $4 LIMIT 1"
        );
        let values = [
            argument,
            Value::Int4(lane),
            Value::Int8(entry.seq),
            Value::Int8(entry.id),
        ];
        self.reader.first(&sql, &values, |record| {
            // SAFETY: the values are those of COLUMNS and live during the call.
            unsafe { Row::read(|place| record.get(place)) }.suspect()
        })
    }

    fn explain_broken(&mut self) {
        let broken = std::mem::take(&mut self.doubts.broken);
        if broken.is_empty() {
            return;
        }
        let wanted: Vec<String> = broken
            .iter()
            .filter_map(|(_, _, between)| between.entry.prev_hash)
            .map(|hash| format!("'{}'", hex::encode(hash)))
            .collect();
        let sql = format!(
            "SELECT a.signature, a.org_id, a.lane, a.seq FROM audits.audit_log AS a WHERE a.signature IN ({})",
            wanted.join(", ")
        );
        let mut found = Vec::new();
        let mut rows = self.reader.spool(&sql, &[]);
        while let Some(row) = rows.next(|row| (row.hash(0), row.uuid(1), row.int4(2), row.int8(3)))
        {
            if found.len() < MOST_DOUBTS {
                found.push(row);
            }
        }
        for (ledger, lane, between) in &broken {
            let origin = found
                .iter()
                .find(|(signature, ..)| *signature == between.entry.prev_hash);
            match origin {
                Some((_, other, Some(of_lane), Some(seq))) => {
                    let is_same_lane = (*other, *of_lane) == (*ledger, *lane);
                    let verdict = if is_same_lane {
                        Verdict::Reordered
                    } else {
                        Verdict::Misplaced
                    };
                    let place = self.name_place(*ledger, *lane, *other, *of_lane);
                    let detail = format!("it continues entry {seq}{place}");
                    self.tell(*ledger, *lane, &between.entry, verdict, detail);
                }
                _ => self.tell_hashed_anew(*ledger, *lane, between),
            }
        }
    }

    /// Says in which other lane, but one organization does not hear of another.
    fn name_place(&self, ledger: Ledger, lane: i32, other: Ledger, of_lane: i32) -> String {
        if (ledger, lane) == (other, of_lane) {
            return String::new();
        }
        match other {
            _ if ledger == other => format!(" of lane {of_lane}"),
            _ if self.scope.organization.is_some() => " of another ledger".to_owned(),
            Some(id) => format!(" of lane {of_lane} of organization {id}"),
            None => format!(" of lane {of_lane} of the platform's own ledger"),
        }
    }

    fn tell_altered(&mut self, ledger: Ledger, lane: i32, entry: &walk::Entry) {
        let detail = match entry {
            walk::Entry {
                signature: None, ..
            } => "its signature is not a hash",
            walk::Entry {
                prev_hash: None, ..
            } => "its prev_hash is not a hash",
            walk::Entry { computed: None, .. } => "its content cannot be read",
            _ => "its signature is not the hash of its content",
        };
        self.tell(ledger, lane, entry, Verdict::Altered, detail.to_owned());
    }

    fn tell_hashed_anew(&mut self, ledger: Ledger, lane: i32, between: &Break) {
        let detail = format!(
            "it was hashed anew: its signature is not the one that entry {} continues",
            between.entry.seq
        );
        self.tell(ledger, lane, &between.before, Verdict::Altered, detail);
    }

    fn tell(
        &mut self,
        ledger: Ledger,
        lane: i32,
        entry: &walk::Entry,
        verdict: Verdict,
        detail: String,
    ) {
        self.report.tell(Finding {
            ledger,
            lane: Some(lane),
            seq: Some(entry.seq),
            id: Some(entry.id),
            ts: Some(entry.ts),
            verdict,
            detail,
        });
    }
}

/// The lanes that audits.lanes or the tree has.
fn known_lanes(condition: &str) -> String {
    format!(
        "SELECT n.org_id, n.lane, {LANE} \
         FROM ( \
             SELECT a.org_id, a.lane FROM audits.lanes AS a WHERE {condition} \
             UNION \
             SELECT a.org_id, a.lane FROM audits.checkpoint_lanes AS a WHERE {condition}) AS n \
         LEFT JOIN audits.lanes AS l \
             ON coalesce(l.org_id::text, '') = coalesce(n.org_id::text, '') AND l.lane = n.lane"
    )
}

/// What audits.lanes has, in the order in which [`read_known`] takes it.
const LANE: &str = "l.archived_seq, l.archived_signature, l.archived_ts, \
    l.checkpointed_seq, l.checkpointed_signature, l.checkpointed_ts, \
    l.verified_seq, l.verified_signature, l.verified_ts";

fn read_known(row: &Record, place: usize) -> Known {
    Known {
        archived: row.head(place).unwrap_or(Head::NONE),
        checkpointed: row.head(place + 3).filter(|head| head.seq > 0),
        verified: row.head(place + 6).filter(|head| head.seq > 0),
    }
}

fn read_beyond(row: Record) -> Option<Beyond> {
    Some(Beyond {
        head: row.head(0)?,
        prev_hash: row.hash(3),
    })
}
