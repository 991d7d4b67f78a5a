//! Writes what has been packed into the tables.

use pgrx::datum::DatumWithOid;
use pgrx::pg_sys;
use uuid::Uuid;

use super::packer::Packed;
use super::{LaneEnd, Outcome, Partition};
use crate::audits::archives::entry::{self, ArchivedEntry, Run};
use crate::audits::archives::postgres_micros;
use crate::audits::authority::{acting, Deed};
use crate::audits::encoding::Hash;
use crate::codeverify::query::{update, update_one};
use crate::tenancy::settings;
use crate::tenancy::sql::to_datum;

/// A segment, in its place after those before it.
pub(super) fn store(
    packed: &Packed,
    org_id: Option<Uuid>,
    entries: &[ArchivedEntry],
    signatures: &[Hash],
    content: &[u8],
) {
    let runs: Vec<Run> = entry::runs(entries);
    let times = entries.iter().map(|entry| postgres_micros(entry.ts));
    let min_ts = times.clone().min().unwrap_or_default();
    let max_ts = times.max().unwrap_or_default();
    let ids = entries.iter().map(|entry| entry.id);
    let arguments: [DatumWithOid; 12] = [
        to_datum(packed.archive).into(),
        packed.segments.into(),
        org_id.map(to_datum).into(),
        runs.iter().map(|run| run.lane).collect::<Vec<i32>>().into(),
        runs.iter()
            .map(|run| run.first_seq)
            .collect::<Vec<i64>>()
            .into(),
        runs.iter()
            .map(|run| run.last_seq)
            .collect::<Vec<i64>>()
            .into(),
        timestamptz(min_ts),
        timestamptz(max_ts),
        signatures.concat().into(),
        content.into(),
        ids.clone().min().into(),
        ids.max().into(),
    ];
    update(
        "INSERT INTO audits.archive_segments \
             (archive_id, place, org_id, lanes, first_seqs, last_seqs, entries, min_ts, max_ts, signatures, content, \
              min_id, max_id) \
         VALUES ($1, $2, $3, $4, $5, $6, octet_length($9) / 32, $7, $8, $9, $10, $11, $12)",
        &arguments,
        |_| Ok(()),
    );
}

/// A time in PostgreSQL's microseconds as the parameter of a query.
fn timestamptz<'a>(micros: i64) -> DatumWithOid<'a> {
    // SAFETY: a timestamptz is those microseconds.
    unsafe { DatumWithOid::new(pg_sys::Datum::from(micros), pg_sys::TIMESTAMPTZOID) }
}

/// The row that the segments belong to; record() completes it, and nobody sees it before.
pub(super) fn begin(partition: &Partition, archive: Uuid, bytes_before: i64) {
    update(
        "INSERT INTO audits.archives \
             (id, partition_name, from_ts, until_ts, entries, segments, bytes_before, bytes_after, root, entry_id) \
         VALUES ($1, $2, $3, $4, 0, 0, $5, 0, sha256(''), 0)",
        &[
            to_datum(archive).into(),
            partition.name.as_str().into(),
            partition.from.into(),
            partition.until.into(),
            bytes_before.into(),
        ],
        |_| Ok(()),
    );
}

/// Puts the archive on record: an entry in the chain, and what is known of it now.
pub(super) fn record(partition: &Partition, outcome: &Outcome) {
    let entry_id = update_one::<i64>(
        "INSERT INTO audits.audit_log (org_id, entity, action, actor_id, resource_id, payload) \
         VALUES (NULL, 'audits.audit_log', 'partition.archived', $1, $2, jsonb_build_object( \
             'partition', $3, 'from', $4, 'until', $5, 'entries', $6, 'segments', $7, \
             'root', encode($8, 'hex'), 'by', session_user)) \
         RETURNING id",
        &[
            settings::user_id().map(to_datum).into(),
            to_datum(outcome.archive).into(),
            partition.name.as_str().into(),
            partition.from.into(),
            partition.until.into(),
            outcome.entries.into(),
            outcome.segments.into(),
            outcome.root.as_slice().into(),
        ],
    );
    acting(Deed::Maintenance, || {
        update(
            "UPDATE audits.archives \
             SET entries = $2, segments = $3, bytes_after = $4, root = $5, entry_id = $6 \
             WHERE id = $1",
            &[
                to_datum(outcome.archive).into(),
                outcome.entries.into(),
                outcome.segments.into(),
                outcome.bytes_after.into(),
                outcome.root.as_slice().into(),
                entry_id.into(),
            ],
            |_| Ok(()),
        );
    });
}

/// The lane goes on after what has just been archived.
pub(super) fn advance_lane(end: &LaneEnd) {
    acting(Deed::Maintenance, || {
        update(
            "INSERT INTO audits.lanes AS l (org_id, lane, archived_seq, archived_signature, archived_ts) \
             VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT ON CONSTRAINT lanes_org_id_lane_key DO UPDATE \
             SET archived_seq = excluded.archived_seq, \
                 archived_signature = excluded.archived_signature, \
                 archived_ts = excluded.archived_ts",
            &[
                end.org_id.map(to_datum).into(),
                end.lane.into(),
                end.seq.into(),
                hex::encode(end.signature).into(),
                timestamptz(postgres_micros(end.ts)),
            ],
            |_| Ok(()),
        );
    });
}
