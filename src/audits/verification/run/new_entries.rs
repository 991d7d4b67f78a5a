//! Glue: the verification of what has come since the last one.

use super::{known_lanes, read_known, Run, Verified, LANE};
use crate::audits::verification::checkpoints::sum_entries;
use crate::audits::verification::verdict::Verdict;
use crate::audits::verification::walk::Walk;
use crate::codeverify::progress::Progress;

impl Run<'_> {
    /// Walks along every lane from where it was intact.
    pub(super) fn walk_new_entries(&mut self, progress: &mut Progress) {
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
}
