//! Archives and their segments as the tables have them.

use pgrx::datum::DatumWithOid;
use uuid::Uuid;

use super::datum::Row;
use super::entry::{self, ArchivedEntry, Run};
use crate::audits::encoding::Hash;
use crate::codeverify::memory::in_scratch_memory;
use crate::codeverify::owner::as_owner;
use crate::codeverify::query::select_as_seen;
use crate::codeverify::segment;
use crate::tenancy::sql::to_datum;

/// Whose entries are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Those of every organization and of the platform itself.
    All,
    /// Those of one ledger; None is the platform's own.
    Ledger(Option<Uuid>),
}

/// A time span in PostgreSQL's microseconds, from the first on and before the second.
#[derive(Clone, Copy, Debug, Default)]
pub struct Span {
    pub from: Option<i64>,
    pub until: Option<i64>,
}

impl Span {
    /// From bounds in microseconds since 1970.
    pub fn since_1970(from: Option<i64>, until: Option<i64>) -> Span {
        Span {
            from: from.map(super::postgres_micros),
            until: until.map(super::postgres_micros),
        }
    }

    /// Whether a time is in it.
    pub fn contains(self, ts: i64) -> bool {
        self.from.is_none_or(|from| from <= ts) && self.until.is_none_or(|until| ts < until)
    }

    /// Whether a segment may have entries in it.
    pub fn touches(self, min_ts: i64, max_ts: i64) -> bool {
        self.from.is_none_or(|from| from <= max_ts) && self.until.is_none_or(|until| min_ts < until)
    }
}

/// Where a segment is: what is known of it without reading it.
#[derive(Clone, Copy, Debug)]
pub struct SegmentPlace {
    pub id: Uuid,
    pub archive_id: Uuid,
    pub org_id: Option<Uuid>,
    /// In PostgreSQL's microseconds, as Span has them.
    pub min_ts: i64,
    pub max_ts: i64,
}

/// A segment that has been read.
pub struct StoredSegment {
    pub runs: Vec<Run>,
    pub signatures: Vec<Hash>,
    /// None when it was pruned, or not asked for.
    pub content: Option<Vec<u8>>,
    pub is_pruned: bool,
}

impl StoredSegment {
    /// Its entries; None when it was pruned.
    pub fn entries(&self) -> Option<Result<Vec<ArchivedEntry>, segment::Error>> {
        let content = self.content.as_deref()?;
        Some(entry::unpack(content, &self.signatures))
    }
}

/// The segments of a scope: by ledger (the platform's own first), and in the order of time within it, so that
/// every lane goes on from segment to segment.
pub fn find_segments(scope: Scope) -> Vec<SegmentPlace> {
    let (all, org_id) = match scope {
        Scope::All => (true, None),
        Scope::Ledger(org_id) => (false, org_id),
    };
    as_owner(|| {
        select_as_seen(
            "SELECT s.id, s.archive_id, s.org_id, s.min_ts, s.max_ts \
             FROM audits.archive_segments AS s \
             JOIN audits.archives AS a ON a.id = s.archive_id \
             WHERE $1 OR s.org_id = $2 OR $2 IS NULL AND s.org_id IS NULL \
             ORDER BY s.org_id NULLS FIRST, a.until_ts, a.id, s.place",
            &[all.into(), org_id.map(to_datum).into()],
            |mut rows| {
                let mut places = Vec::with_capacity(rows.len());
                while rows.next().is_some() {
                    let row = Row(&rows);
                    let (Some(id), Some(archive_id), Some(min_ts), Some(max_ts)) =
                        (row.uuid(1)?, row.uuid(2)?, row.int8(4)?, row.int8(5)?)
                    else {
                        continue;
                    };
                    places.push(SegmentPlace {
                        id,
                        archive_id,
                        org_id: row.uuid(3)?,
                        min_ts,
                        max_ts,
                    });
                }
                Ok(places)
            },
        )
    })
}

/// The segments that have entries of a lane from one seq to another, in order.
pub fn find_segments_of(
    org_id: Option<Uuid>,
    lane: i32,
    first_seq: i64,
    last_seq: i64,
) -> Vec<Uuid> {
    as_owner(|| {
        select_as_seen(
            "SELECT s.id \
             FROM audits.archive_segments AS s \
             CROSS JOIN LATERAL unnest(s.lanes, s.first_seqs, s.last_seqs) AS r (lane, first_seq, last_seq) \
             WHERE (s.org_id = $1 OR $1 IS NULL AND s.org_id IS NULL) \
               AND r.lane = $2 AND r.first_seq <= $4 AND r.last_seq >= $3 \
             ORDER BY r.first_seq",
            &[
                org_id.map(to_datum).into(),
                lane.into(),
                first_seq.into(),
                last_seq.into(),
            ],
            |mut rows| {
                let mut ids = Vec::with_capacity(rows.len());
                while rows.next().is_some() {
                    ids.extend(Row(&rows).uuid(1)?);
                }
                Ok(ids)
            },
        )
    })
}

/// The segments that may have the entry with an id, of one organization's ledger or of all, and have not been pruned.
pub fn find_segments_with(id: i64, organization: Option<Uuid>) -> Vec<Uuid> {
    as_owner(|| {
        select_as_seen(
            "SELECT s.id \
             FROM audits.archive_segments AS s \
             WHERE s.min_id <= $1 AND s.max_id >= $1 \
               AND (s.org_id = $2 OR $2 IS NULL) \
               AND s.content IS NOT NULL",
            &[id.into(), organization.map(to_datum).into()],
            |mut rows| {
                let mut ids = Vec::with_capacity(rows.len());
                while rows.next().is_some() {
                    ids.extend(Row(&rows).uuid(1)?);
                }
                Ok(ids)
            },
        )
    })
}

/// Reads a segment, without its rows unless they are wanted; None when it is gone.
pub fn read_segment(id: Uuid, with_content: bool) -> Option<StoredSegment> {
    in_scratch_memory(|| {
        let arguments: [DatumWithOid; 2] = [to_datum(id).into(), with_content.into()];
        as_owner(|| {
            select_as_seen(
                "SELECT array_to_string(s.lanes, ','), array_to_string(s.first_seqs, ','), \
                        array_to_string(s.last_seqs, ','), s.signatures, \
                        CASE WHEN $2 THEN s.content END, (s.content IS NULL)::int \
                 FROM audits.archive_segments AS s \
                 WHERE s.id = $1",
                &arguments,
                |mut rows| {
                    if rows.next().is_none() {
                        return Ok(None);
                    }
                    let row = Row(&rows);
                    let runs = row
                        .numbers::<i32>(1)?
                        .into_iter()
                        .zip(row.numbers::<i64>(2)?)
                        .zip(row.numbers::<i64>(3)?)
                        .map(|((lane, first_seq), last_seq)| Run {
                            lane,
                            first_seq,
                            last_seq,
                        })
                        .collect();
                    let signatures = row.bytes(4)?.unwrap_or_default();
                    Ok(Some(StoredSegment {
                        runs,
                        signatures: signatures.as_chunks::<32>().0.to_vec(),
                        content: row.bytes(5)?,
                        is_pruned: row.int4(6)? == Some(1),
                    }))
                },
            )
        })
    })
}
