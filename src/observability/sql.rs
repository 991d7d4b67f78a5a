//! Functions of schema observability that need Rust; their comments and grants are in sql/observability/.

use pgrx::datum::TimestampWithTimeZone;
use pgrx::prelude::*;

use super::log_time;
use crate::codeverify::jsonb::{self, Jsonb};
use crate::codeverify::time;

extension_sql_file!(
    "../../sql/observability/log_ingestion.sql",
    name = "observability_log_ingestion",
    requires = [read_log_time, read_log_id, read_log_json]
);

#[pg_extern(schema = "observability", immutable, parallel_safe)]
fn read_log_time(value: &str) -> Option<TimestampWithTimeZone> {
    let micros = log_time::parse(value)?;
    TimestampWithTimeZone::try_from(time::to_stored(micros)).ok()
}

/// A regular expression and a cast would take ten times as long, for each line twice.
#[pg_extern(schema = "observability", immutable, parallel_safe)]
fn read_log_id(value: &str) -> Option<pgrx::Uuid> {
    const WITH_HYPHENS: usize = 36;
    if value.len() != WITH_HYPHENS {
        return None;
    }
    let id = uuid::Uuid::try_parse(value).ok()?;
    Some(pgrx::Uuid::from_bytes(id.into_bytes()))
}

/// A cast would end the transaction over one entry.
#[pg_extern(schema = "observability", immutable, parallel_safe)]
fn read_log_json(value: &str) -> Option<Jsonb> {
    jsonb::from_text(value).map(Jsonb)
}
