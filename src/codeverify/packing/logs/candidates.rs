//! Segments that may have lines that are wanted.

use pgrx::datum::DatumWithOid;
use pgrx::pg_sys::{self, Datum};
use uuid::Uuid;

use super::super::stored::read_block;
use super::lines::{Lines, Wanted};
use super::BATCH;
use crate::audits::archives::datum::Row;
use crate::codeverify::errors::Error;
use crate::codeverify::interrupts::check_for_interrupts;
use crate::codeverify::memory::in_scratch_memory;
use crate::codeverify::owner::as_owner;
use crate::codeverify::query::select_as_seen;
use crate::codeverify::raise::or_raise;
use crate::tenancy::sql::to_datum;

/// Segments that are looked up at a time.
const PAGE: usize = 50;

/// A segment that may have lines that are wanted.
#[derive(Clone, Copy)]
pub(super) struct Candidate {
    id: Uuid,
    pub(super) max_ts: i64,
}

/// Goes through the segments that may have lines that are wanted, newest first.
pub(super) struct Candidates<'a> {
    wanted: &'a Wanted,
    page: std::vec::IntoIter<(Candidate, bool)>,
    last: Option<Candidate>,
    at_end: bool,
}

impl<'a> Candidates<'a> {
    pub(super) fn new(wanted: &'a Wanted) -> Candidates<'a> {
        Candidates {
            wanted,
            page: Vec::new().into_iter(),
            last: None,
            at_end: false,
        }
    }

    fn read_page(&mut self) {
        let wanted = self.wanted;
        let until = wanted.before.map_or(wanted.until, |(ts, _)| {
            wanted.until.min(ts.saturating_add(1))
        });
        let (last_ts, last_id) = self
            .last
            .map_or((i64::MAX, Uuid::max()), |last| (last.max_ts, last.id));
        let text = |id: Option<Uuid>| id.map(|id| id.to_string());
        let arguments: [DatumWithOid; 10] = [
            to_datum(wanted.org_id).into(),
            time(wanted.since),
            time(until),
            text(wanted.service).into(),
            text(wanted.environment).into(),
            wanted.level.clone().into(),
            wanted.query.is_some().into(),
            time(last_ts),
            to_datum(last_id).into(),
            (PAGE as i64).into(),
        ];
        let page: Vec<(Candidate, bool)> = in_scratch_memory(|| {
            as_owner(|| {
                select_as_seen(
                    "SELECT s.id, s.max_ts, CASE WHEN $7 THEN s.words END \
                     FROM codeverify.packed_segments AS s \
                     WHERE s.org_id = $1 \
                       AND s.relation = to_regclass('observability.logs') \
                       AND s.max_ts >= $2 \
                       AND s.max_ts <= $8 \
                       AND (s.max_ts, s.id) < ($8, $9) \
                       AND s.min_ts < $3 \
                       AND ($4 IS NULL OR coalesce(s.summary -> 'service_id' -> 'in' ? $4, true)) \
                       AND ($5 IS NULL OR coalesce(s.summary -> 'environment_id' -> 'in' ? $5, true)) \
                       AND ($6 IS NULL OR coalesce(s.summary -> 'level' -> 'in' ? $6, true)) \
                     ORDER BY s.max_ts DESC, s.id DESC \
                     LIMIT $10",
                    &arguments,
                    |mut rows| {
                        let mut page = Vec::with_capacity(rows.len());
                        while rows.next().is_some() {
                            let row = Row(&rows);
                            let (Some(id), Some(max_ts)) = (row.uuid(1)?, row.int8(2)?) else {
                                continue;
                            };
                            let words = row.bytes(3)?;
                            page.push((
                                Candidate { id, max_ts },
                                wanted.may_be_in(words.as_deref()),
                            ));
                        }
                        Ok(page)
                    },
                )
            })
        });
        self.at_end = page.len() < PAGE;
        self.last = page.last().map(|(candidate, _)| *candidate).or(self.last);
        self.page = page.into_iter();
    }
}

impl Iterator for Candidates<'_> {
    type Item = Candidate;

    fn next(&mut self) -> Option<Candidate> {
        loop {
            for (candidate, may_have) in self.page.by_ref() {
                if may_have {
                    return Some(candidate);
                }
            }
            if self.at_end {
                return None;
            }
            check_for_interrupts();
            self.read_page();
        }
    }
}

/// A time in PostgreSQL's microseconds as the parameter of a query.
fn time<'a>(micros: i64) -> DatumWithOid<'a> {
    // SAFETY: a timestamptz is those microseconds.
    unsafe { DatumWithOid::new(Datum::from(micros), pg_sys::TIMESTAMPTZOID) }
}

/// Reads a segment of log lines; `read` gets its rows from the last to the first, and says whether it wants more.
pub(super) fn read_lines(candidate: Candidate, mut read: impl FnMut(&Lines, usize) -> bool) {
    let block = or_raise(as_owner(|| read_block(candidate.id)));
    let lines = or_raise(Lines::of(&block).ok_or_else(|| Error::SegmentDamaged {
        segment: candidate.id.to_string(),
        problem: "it has not the columns of log lines".to_owned(),
    }));
    for row in (0..block.rows()).rev() {
        if row % BATCH == 0 {
            check_for_interrupts();
        }
        if !read(&lines, row) {
            break;
        }
    }
}
