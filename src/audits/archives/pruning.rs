//! Deletes the packed rows of an archive, once nothing keeps them any more.

use uuid::Uuid;

use crate::audits::authority::{acting, Deed};
use crate::codeverify::errors::Error;
use crate::codeverify::query::{run_script, update, update_one};
use crate::codeverify::snapshot::require_read_committed;
use crate::tenancy::settings;
use crate::tenancy::sql::to_datum;

/// Prunes an archive and returns how many entries it had. To be called as codeverify_owner.
pub fn prune(archive: Uuid) -> Result<i64, Error> {
    require_read_committed("audits.prune_archive", "VC058")?;
    // A lock that is being set at the same time comes first or not at all.
    run_script("LOCK TABLE audits.retention_locks IN SHARE MODE");
    let locked_until = update_one::<String>(
        "SELECT max(locked_until)::text FROM audits.retention_locks \
         HAVING max(locked_until) > clock_timestamp()",
        &[],
    );
    if let Some(until) = locked_until {
        return Err(Error::RetentionLocked { until });
    }
    let entries = acting(Deed::Maintenance, || {
        update_one::<i64>(
            "UPDATE audits.archives SET pruned_by = session_user, pruned_at = clock_timestamp() \
             WHERE id = $1 AND pruned_at IS NULL RETURNING entries",
            &[to_datum(archive).into()],
        )
    })
    .ok_or_else(|| Error::NothingToPrune {
        archive: archive.to_string(),
    })?;
    acting(Deed::Maintenance, || {
        update(
            "UPDATE audits.archive_segments SET content = NULL WHERE archive_id = $1",
            &[to_datum(archive).into()],
            |_| Ok(()),
        );
    });
    update(
        "INSERT INTO audits.audit_log (org_id, entity, action, actor_id, resource_id, payload) \
         SELECT NULL, 'audits.audit_log', 'archive.pruned', $2, a.id, jsonb_build_object( \
             'partition', a.partition_name, 'entries', a.entries, 'root', encode(a.root, 'hex'), \
             'by', session_user) \
         FROM audits.archives AS a \
         WHERE a.id = $1",
        &[
            to_datum(archive).into(),
            settings::user_id().map(to_datum).into(),
        ],
        |_| Ok(()),
    );
    Ok(entries)
}
