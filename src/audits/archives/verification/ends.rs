//! Where the archived part of each lane ends, by its segments and by audits.lanes.

use uuid::Uuid;

use super::{LaneState, Verifier};
use crate::audits::archives::datum::Row;
use crate::audits::archives::stored::Scope;
use crate::audits::encoding::Hash;
use crate::audits::verification::verdict::Verdict;
use crate::codeverify::owner::as_owner;
use crate::codeverify::query::select_as_seen;
use crate::tenancy::sql::to_datum;

/// The ends of the archived part of a ledger's lanes: of those that have one, by lane, with seq and signature.
fn archived_ends(org_id: Option<Uuid>) -> Vec<(i32, i64, Option<Hash>)> {
    as_owner(|| {
        select_as_seen(
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

impl Verifier<'_> {
    /// Compares where the lanes have got to with where they should.
    pub(super) fn finish_ledger(&mut self) {
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
    pub(super) fn vanished_ledgers(&mut self, scope: Scope) {
        let (all, asked) = match scope {
            Scope::All => (true, None),
            Scope::Ledger(org_id) => (false, org_id),
        };
        let vanished = as_owner(|| {
            select_as_seen(
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
}
