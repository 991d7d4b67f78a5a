//! Functions of schema audits; their comments and grants are in sql/audits/archives.sql.

use pgrx::pg_sys::{self, Datum};
use pgrx::prelude::*;
use pgrx::JsonB;
use serde_json::json;

use super::entry::ArchivedEntry;
use super::packing;
use super::reading;
use super::stored::{Scope, Span};
use super::verification;
use crate::audits::verification::verdict::Finding;
use crate::codeverify::jsonb::{self, Jsonb};
use crate::codeverify::owner::{as_owner, caller_has_role, OWNER_ROLE};
use crate::codeverify::raise::or_raise;
use crate::tenancy::settings;
use crate::tenancy::sql::{from_datum, to_datum};

extension_sql_file!(
    "../../../sql/audits/archives.sql",
    name = "audits_archives",
    requires = [
        archive_partition,
        read_archive,
        verify_archives,
        prune_archive
    ]
);

// An argument of type PgRelation would keep the partition open, which then could not be dropped.
#[pg_extern(
    sql = "CREATE FUNCTION audits.archive_partition(partition regclass) RETURNS jsonb \
           VOLATILE STRICT PARALLEL UNSAFE LANGUAGE c AS '@MODULE_PATHNAME@', '@FUNCTION_NAME@';"
)]
fn archive_partition(partition: pg_sys::Oid) -> JsonB {
    let outcome = or_raise(as_owner(|| packing::archive(partition)));
    JsonB(json!({
        "archive": outcome.archive.to_string(),
        "partition": outcome.partition,
        "entries": outcome.entries,
        "segments": outcome.segments,
        "bytes_before": outcome.bytes_before,
        "bytes_after": outcome.bytes_after,
        "root": hex::encode(outcome.root),
    }))
}

/// Whose archived entries the caller may see; None for nobody's.
fn visible() -> Option<Scope> {
    let sees_all = [c"codeverify_admin", c"codeverify_auditor", OWNER_ROLE]
        .into_iter()
        .any(caller_has_role);
    if sees_all {
        return Some(Scope::All);
    }
    settings::org_id().map(|org_id| Scope::Ledger(Some(org_id)))
}

#[pg_extern(
    sql = r#"CREATE FUNCTION audits.read_archive("from" timestamptz, "until" timestamptz)
RETURNS TABLE (
    id bigint,
    event_id uuid,
    org_id uuid,
    entity text,
    action text,
    actor_id uuid,
    resource_id uuid,
    payload jsonb,
    ip_address text,
    user_agent text,
    signature text,
    prev_hash text,
    ts timestamptz,
    lane int,
    seq bigint)
STABLE PARALLEL RESTRICTED LANGUAGE c AS '@MODULE_PATHNAME@', '@FUNCTION_NAME@';"#
)]
#[allow(clippy::type_complexity)]
fn read_archive(
    from: Option<TimestampWithTimeZone>,
    until: Option<TimestampWithTimeZone>,
) -> TableIterator<
    'static,
    (
        name!(id, i64),
        name!(event_id, pgrx::Uuid),
        name!(org_id, Option<pgrx::Uuid>),
        name!(entity, Option<String>),
        name!(action, String),
        name!(actor_id, Option<pgrx::Uuid>),
        name!(resource_id, Option<pgrx::Uuid>),
        name!(payload, Option<Jsonb>),
        name!(ip_address, Option<String>),
        name!(user_agent, Option<String>),
        name!(signature, String),
        name!(prev_hash, String),
        name!(ts, Option<TimestampWithTimeZone>),
        name!(lane, i32),
        name!(seq, i64),
    ),
> {
    let Some(scope) = visible() else {
        return TableIterator::empty();
    };
    let span = Span {
        from: from.map(micros),
        until: until.map(micros),
    };
    TableIterator::new(reading::read(scope, span).map(|entry| {
        let ArchivedEntry {
            id,
            event_id,
            org_id,
            entity,
            action,
            actor_id,
            resource_id,
            payload,
            ip_address,
            user_agent,
            signature,
            prev_hash,
            ts,
            lane,
            seq,
        } = or_raise(entry);
        (
            id,
            to_datum(event_id),
            org_id.map(to_datum),
            entity,
            action,
            actor_id.map(to_datum),
            resource_id.map(to_datum),
            jsonb::from_text(&payload).map(Jsonb),
            ip_address,
            user_agent,
            hex::encode(signature),
            hex::encode(prev_hash),
            time(ts),
            lane,
            seq,
        )
    }))
}

fn micros(time: TimestampWithTimeZone) -> i64 {
    time.into_inner()
}

/// A time from microseconds since 1970.
fn time(unix_micros: i64) -> Option<TimestampWithTimeZone> {
    // SAFETY: a timestamptz is microseconds since 2000.
    unsafe {
        TimestampWithTimeZone::from_datum(Datum::from(super::postgres_micros(unix_micros)), false)
    }
}

#[pg_extern(schema = "audits", stable, parallel_unsafe)]
#[allow(clippy::type_complexity)]
fn verify_archives() -> TableIterator<
    'static,
    (
        name!(org_id, Option<pgrx::Uuid>),
        name!(lane, Option<i32>),
        name!(seq, Option<i64>),
        name!(id, Option<i64>),
        name!(ts, Option<TimestampWithTimeZone>),
        name!(verdict, String),
        name!(detail, String),
    ),
> {
    let mut findings: Vec<Finding> = Vec::new();
    verification::verify(Scope::All, Span::default(), &mut findings);
    TableIterator::new(findings.into_iter().map(|finding| {
        (
            finding.ledger.map(to_datum),
            finding.lane,
            finding.seq,
            finding.id,
            finding.ts.and_then(time),
            finding.verdict.name().to_owned(),
            finding.detail,
        )
    }))
}

#[pg_extern(schema = "audits", volatile, parallel_unsafe)]
fn prune_archive(archive: pgrx::Uuid) -> i64 {
    or_raise(as_owner(|| super::pruning::prune(from_datum(archive))))
}
