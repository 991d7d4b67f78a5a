//! Glue: the verification of one lane that something is wrong with.

use super::{Beyond, LaneNotes, Run, Verified};
use crate::audits::chain::held::{Head, Ledger};
use crate::audits::verification::checkpoints::{
    mismatch, read_lane_leaves, sum_entries, tell_first_difference, LaneLeaves,
};
use crate::audits::verification::known::{judge, Known, Pass};
use crate::audits::verification::reader::{in_ledger, Value};
use crate::audits::verification::row::{Row, COLUMNS};
use crate::audits::verification::tally::{Sum, Tally};
use crate::audits::verification::verdict::{Finding, Verdict};
use crate::audits::verification::walk::Walk;

impl Run<'_> {
    pub(super) fn verify_lane(
        &mut self,
        ledger: Ledger,
        lane: i32,
        tally: Option<Tally>,
        known: &Known,
    ) {
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
    pub(super) fn read_leaves(
        &mut self,
        ledger: Ledger,
        lane: i32,
        known: &mut Known,
    ) -> Option<LaneLeaves> {
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
    pub(super) fn sum_before(
        &mut self,
        ledger: Ledger,
        lane: i32,
        tally: Option<&Tally>,
        last: i64,
    ) -> Sum {
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
    pub(super) fn fits_leaves(
        &mut self,
        ledger: Ledger,
        lane: i32,
        leaves: &LaneLeaves,
        sum: Sum,
    ) -> bool {
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
    pub(super) fn walk(
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
    pub(super) fn times_rise(&mut self, ledger: Ledger, lane: i32, tally: &Tally) -> bool {
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
}
