//! Functions of schema codeverify; their comments are in sql/codeverify/{packing,partition_emptying,unpacking}.sql. Nobody
//! but codeverify_owner may call those of this file: what they are given says whose rows are read.

use pgrx::datum::TimestampWithTimeZone;
use pgrx::pg_sys;
use pgrx::pg_sys::panic::ErrorReportable;
use pgrx::prelude::*;
use pgrx::JsonB;
use serde_json::json;

use super::emptying;
use super::logs;
use super::stored::{read_block, span_of};
use super::summary::summarize;
use super::writing::{self as segments, Task};
use crate::codeverify::owner::as_owner;
use crate::codeverify::raise::or_raise;
use crate::codeverify::reading::writing;
use crate::tenancy::sql::from_datum;

extension_sql_file!(
    "../../../sql/codeverify/packing.sql",
    name = "codeverify_packing",
    requires = [write_segments, describe_segment, "tenancy_functions"]
);
extension_sql_file!(
    "../../../sql/codeverify/partition_emptying.sql",
    name = "codeverify_partition_emptying",
    requires = [delete_packed_rows, scan_row_state, "codeverify_packing"]
);
extension_sql_file!(
    "../../../sql/codeverify/compression.sql",
    name = "codeverify_compression",
    requires = ["codeverify_packing"]
);
extension_sql_file!(
    "../../../sql/codeverify/packed_reading.sql",
    name = "codeverify_packed_reading",
    requires = ["codeverify_packing"]
);
extension_sql_file!(
    "../../../sql/codeverify/unpacking.sql",
    name = "codeverify_unpacking",
    requires = [insert_as_owner_of, "codeverify_packing"]
);

#[pg_extern(
    sql = "CREATE FUNCTION codeverify.write_segments(relation regclass, source regclass, key text, condition text, \
           period_start timestamptz, period_end timestamptz, has_organizations boolean, keeps_gone boolean, total bigint) \
           RETURNS jsonb VOLATILE STRICT PARALLEL UNSAFE LANGUAGE c AS '@MODULE_PATHNAME@', '@FUNCTION_NAME@';"
)]
#[allow(clippy::too_many_arguments)]
fn write_segments(
    relation: pg_sys::Oid,
    source: pg_sys::Oid,
    key: String,
    condition: String,
    period_start: TimestampWithTimeZone,
    period_end: TimestampWithTimeZone,
    has_organizations: bool,
    keeps_gone: bool,
    total: i64,
) -> JsonB {
    let task = Task {
        relation,
        source,
        key,
        condition,
        period_start,
        period_end,
        has_organizations,
        keeps_gone,
        total,
    };
    JsonB(or_raise(as_owner(|| segments::write(&task))))
}

/// What the row of codeverify.packed_segments should say of a segment, from what is in it.
#[pg_extern(
    sql = "CREATE FUNCTION codeverify.describe_segment(segment uuid, key text, is_of_logs boolean) \
           RETURNS jsonb STABLE STRICT PARALLEL UNSAFE LANGUAGE c AS '@MODULE_PATHNAME@', '@FUNCTION_NAME@';"
)]
fn describe_segment(segment: pgrx::Uuid, key: &str, is_of_logs: bool) -> JsonB {
    let block = or_raise(as_owner(|| read_block(from_datum(segment))));
    let span = block.column(key).and_then(span_of);
    let words = is_of_logs.then(|| logs::words_of(&block)).flatten();
    JsonB(json!({
        "rows": block.rows(),
        "min_ts": span.map(|(least, _)| least),
        "max_ts": span.map(|(_, greatest)| greatest),
        "summary": summarize(&block),
        "words": words.map(hex::encode),
    }))
}

#[pg_extern(
    sql = "CREATE FUNCTION codeverify.delete_packed_rows(partition regclass) RETURNS bigint \
           VOLATILE STRICT PARALLEL UNSAFE LANGUAGE c AS '@MODULE_PATHNAME@', '@FUNCTION_NAME@';"
)]
fn delete_packed_rows(partition: pg_sys::Oid) -> i64 {
    i64::try_from(or_raise(emptying::delete_rows(partition))).unwrap_or(i64::MAX)
}

#[pg_extern(
    sql = "CREATE FUNCTION codeverify.scan_row_state(partition regclass) RETURNS text \
           VOLATILE STRICT PARALLEL UNSAFE LANGUAGE c AS '@MODULE_PATHNAME@', '@FUNCTION_NAME@';"
)]
fn scan_row_state(partition: pg_sys::Oid) -> &'static str {
    or_raise(emptying::state_of(partition)).as_str()
}

#[pg_extern(
    sql = "CREATE FUNCTION codeverify.insert_as_owner_of(parent regclass, statement text, columns text[]) RETURNS text \
           VOLATILE STRICT PARALLEL UNSAFE LANGUAGE c AS '@MODULE_PATHNAME@', '@FUNCTION_NAME@';"
)]
fn insert_as_owner_of(
    parent: pg_sys::Oid,
    statement: &str,
    columns: Vec<Option<String>>,
) -> Option<String> {
    or_raise(writing(parent, statement, |statement| {
        Spi::connect_mut(|client| {
            let rows = client.update(statement, None, &[columns.into()])?;
            if rows.is_empty() {
                Ok(None)
            } else {
                rows.first().get_one::<String>()
            }
        })
        .unwrap_or_report()
    }))
}
