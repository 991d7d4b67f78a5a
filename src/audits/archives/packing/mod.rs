//! Makes an archive of a partition, or nothing at all: whatever fails takes everything back.

mod packer;
mod tables;

use pgrx::pg_sys;
use uuid::Uuid;

use self::packer::Packer;
use crate::audits::authority::{acting, Deed};
use crate::audits::checkpoints;
use crate::audits::encoding::Hash;
use crate::codeverify::errors::Error;
use crate::codeverify::query::{run_script, update, update_one};
use crate::codeverify::snapshot::require_read_committed;
use crate::tenancy::sql::to_datum;

/// A partition as the catalog has it.
struct Partition {
    /// Quoted, with its schema.
    identity: String,
    name: String,
    from: pgrx::datum::TimestampWithTimeZone,
    until: pgrx::datum::TimestampWithTimeZone,
}

/// What came of archiving.
pub struct Outcome {
    pub archive: Uuid,
    pub partition: String,
    pub entries: i64,
    pub segments: i32,
    pub bytes_before: i64,
    pub bytes_after: i64,
    pub root: Hash,
}

/// The last entry of a lane that has been packed.
#[derive(Clone, Copy)]
struct LaneEnd {
    org_id: Option<Uuid>,
    lane: i32,
    seq: i64,
    signature: Hash,
    ts: i64,
}

/// Archives a partition. To be called as codeverify_owner.
///
/// Reads of the ledger go through `update`, not `select`: each takes a snapshot of its own, later than the
/// locks before it.
pub fn archive(partition: pg_sys::Oid) -> Result<Outcome, Error> {
    require_read_committed("audits.archive_partition", "VC058")?;
    // One at a time; it keeps nobody else waiting.
    run_script("LOCK TABLE audits.archives IN SHARE ROW EXCLUSIVE MODE");
    let described = describe(partition)?;
    // Waits for transactions that have written to it and are still open. Nobody else writes to a month
    // that is over, so nobody waits for this.
    run_script(&format!(
        "LOCK TABLE ONLY {} IN SHARE MODE",
        described.identity
    ));
    let described = describe(partition)?;
    refuse_out_of_order(partition, &described)?;

    let bytes_before = update_one::<i64>("SELECT pg_total_relation_size($1)", &[partition.into()])
        .unwrap_or_default();
    let mut packer = Packer::new(&described);
    tables::begin(&described, packer.packed.archive, bytes_before);
    // The index has organizations first and the platform's own ledger last; the archive the other way round.
    packer.pack_all("org_id IS NULL", "lane, seq")?;
    packer.pack_all("org_id IS NOT NULL", "org_id, lane, seq")?;
    let packed = packer.finish()?;

    checkpoint_first(partition, &packed.ends)?;

    // From here on appends wait, if only for a moment.
    run_script("SELECT audits.lock_out_appends()");
    let outcome = Outcome {
        archive: packed.archive,
        partition: described.name.clone(),
        entries: packed.entries,
        segments: packed.segments,
        bytes_before,
        bytes_after: packed.bytes,
        root: packed.root.root(),
    };
    tables::record(&described, &outcome);
    for end in &packed.ends {
        tables::advance_lane(end);
    }
    acting(Deed::Maintenance, || {
        run_script(&format!(
            "ALTER TABLE audits.audit_log DETACH PARTITION {0}; DROP TABLE {0}",
            described.identity
        ));
    });
    Ok(outcome)
}

fn not_archivable(partition: pg_sys::Oid, reason: &str, hint: &'static str) -> Error {
    let partition = update_one::<String>("SELECT $1::regclass::text", &[partition.into()]);
    Error::NotArchivable {
        partition: partition.unwrap_or_default(),
        reason: reason.to_owned(),
        hint,
    }
}

/// The partition, if it is one and is closed.
fn describe(partition: pg_sys::Oid) -> Result<Partition, Error> {
    let described = update(
        "SELECT format('audits.%I', d.partition_name), d.partition_name, d.from_ts, d.until_ts, \
                d.until_ts <= clock_timestamp() \
         FROM audits.describe_partition($1) AS d",
        &[partition.into()],
        |rows| {
            if rows.is_empty() {
                return Ok(None);
            }
            let row = rows.first();
            Ok((|| {
                let partition = Partition {
                    identity: row.get(1).ok()??,
                    name: row.get(2).ok()??,
                    from: row.get(3).ok()??,
                    until: row.get(4).ok()??,
                };
                Some((partition, row.get::<bool>(5).ok()??))
            })())
        },
    );
    match described {
        Some((partition, true)) => Ok(partition),
        Some((_, false)) => Err(not_archivable(
            partition,
            "New entries may still come to it.",
            "Wait until its upper bound has passed; SELECT * FROM audits.describe_partition(...) tells it.",
        )),
        None => Err(not_archivable(
            partition,
            "It is no partition of audits.audit_log with bounds of its own.",
            "Name a partition of a past month, such as audits.audit_log_2026_01. The DEFAULT partition stays open.",
        )),
    }
}

/// Archives go on where the last one ended, so what is older leaves first.
fn refuse_out_of_order(partition: pg_sys::Oid, described: &Partition) -> Result<(), Error> {
    let older = update_one::<String>(
        "SELECT e.tableoid::regclass::text \
         FROM audits.audit_log AS e \
         WHERE e.ts < $1 AND e.tableoid <> 'audits.audit_log_default'::regclass \
         ORDER BY e.ts LIMIT 1",
        &[described.from.into()],
    );
    match older {
        Some(older) => Err(not_archivable(
            partition,
            &format!("{older} is older and still has entries."),
            "Archive older partitions first.",
        )),
        None => Ok(()),
    }
}

/// A checkpoint takes its leaves from the table: what has left it for an archive would never be in the tree, nor
/// anything behind it in its lane. So all that leaves is under a checkpoint, signed where there is a key.
fn checkpoint_first(partition: pg_sys::Oid, ends: &[LaneEnd]) -> Result<(), Error> {
    if is_checkpointed(ends) {
        return Ok(());
    }
    let keys = checkpoints::store::keys()?;
    acting(Deed::Maintenance, || {
        checkpoints::collect::checkpoint(keys.as_ref())
    })?;
    if is_checkpointed(ends) {
        return Ok(());
    }
    Err(not_archivable(
        partition,
        "A checkpoint does not cover all of its entries.",
        "SELECT * FROM audits.verify_chain() tells where a lane does not go on.",
    ))
}

fn is_checkpointed(ends: &[LaneEnd]) -> bool {
    let org_ids: Vec<_> = ends.iter().map(|end| end.org_id.map(to_datum)).collect();
    let lanes: Vec<i32> = ends.iter().map(|end| end.lane).collect();
    let seqs: Vec<i64> = ends.iter().map(|end| end.seq).collect();
    let open = update_one::<bool>(
        "SELECT true \
         FROM unnest($1, $2, $3) AS n (org_id, lane, seq) \
         LEFT JOIN audits.lanes AS l \
             ON coalesce(l.org_id::text, '') = coalesce(n.org_id::text, '') AND l.lane = n.lane \
         WHERE coalesce(l.checkpointed_seq, 0) < n.seq \
         LIMIT 1",
        &[org_ids.into(), lanes.into(), seqs.into()],
    );
    open.is_none()
}
