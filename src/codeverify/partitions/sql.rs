//! Functions of schema codeverify about partition sets; their comments and grants are in sql/codeverify/: table_owners.sql,
//! partition_sets.sql, partition_configuration.sql and partition_making.sql.

use pgrx::pg_sys::panic::{ErrorReport, ErrorReportable};
use pgrx::prelude::*;
use pgrx::JsonB;

use super::period::{self, Period, Range};
use super::{bounds, making};
use crate::codeverify::errors::Error;
use crate::codeverify::owner::{
    as_owner, as_owner_of, caller_has_role, owner_for, owner_of, OWNER_ROLE,
};
use crate::codeverify::query::{update, update_one};
use crate::codeverify::raise::or_raise;
use crate::codeverify::reading::reading;

extension_sql_file!(
    "../../../sql/codeverify/table_owners.sql",
    name = "codeverify_table_owners",
    requires = [run_as_owner_of, read_as_owner_of]
);
extension_sql_file!(
    "../../../sql/codeverify/partition_sets.sql",
    name = "codeverify_partition_sets",
    requires = [list_set_partitions]
);
extension_sql_file!(
    "../../../sql/codeverify/partition_configuration.sql",
    name = "codeverify_partition_configuration",
    requires = [save_partition_set, "codeverify_partition_sets"]
);
extension_sql_file!(
    "../../../sql/codeverify/partition_table.sql",
    name = "codeverify_partition_table",
    requires = ["codeverify_partition_configuration"]
);
extension_sql_file!(
    "../../../sql/codeverify/table_copies.sql",
    name = "codeverify_table_copies",
    requires = ["codeverify_functions", "tenancy_isolation"]
);
extension_sql_file!(
    "../../../sql/codeverify/partition_statements.sql",
    name = "codeverify_partition_statements",
    requires = [
        find_sibling,
        "codeverify_partition_sets",
        "codeverify_table_copies"
    ]
);
extension_sql_file!(
    "../../../sql/codeverify/partition_making.sql",
    name = "codeverify_partition_making",
    requires = [
        make_partition,
        find_missing_partition,
        "codeverify_partition_sets",
        "codeverify_partition_statements",
        "codeverify_functions",
        "tenancy_isolation"
    ]
);

#[pg_extern(
    sql = "CREATE FUNCTION codeverify.list_set_partitions(parent regclass) \
           RETURNS TABLE (partition regclass, lower_bound timestamptz, upper_bound timestamptz, is_default boolean) \
           STABLE STRICT PARALLEL SAFE ROWS 50 LANGUAGE c AS '@MODULE_PATHNAME@', '@FUNCTION_NAME@';"
)]
#[allow(clippy::type_complexity)]
fn list_set_partitions(
    parent: pg_sys::Oid,
) -> TableIterator<
    'static,
    (
        name!(partition, pg_sys::Oid),
        name!(lower_bound, Option<TimestampWithTimeZone>),
        name!(upper_bound, Option<TimestampWithTimeZone>),
        name!(is_default, bool),
    ),
> {
    let partitions = bounds::list(parent).unwrap_or_default();
    TableIterator::new(partitions.into_iter().map(|partition| {
        let (lower, upper) = partition.bounds.unzip();
        (
            partition.table,
            lower.and_then(to_time),
            upper.and_then(to_time),
            partition.bounds.is_none(),
        )
    }))
}

fn to_time(microseconds: i64) -> Option<TimestampWithTimeZone> {
    // SAFETY: a timestamptz is a number of microseconds, passed by value.
    unsafe { TimestampWithTimeZone::from_datum(pg_sys::Datum::from(microseconds), false) }
}

#[pg_extern(
    sql = "CREATE FUNCTION codeverify.run_as_owner_of(parent regclass, statement text) RETURNS bigint \
           VOLATILE STRICT PARALLEL UNSAFE LANGUAGE c AS '@MODULE_PATHNAME@', '@FUNCTION_NAME@';"
)]
fn run_as_owner_of(parent: pg_sys::Oid, statement: &str) -> i64 {
    or_raise(as_owner_of(parent, || run_counting(statement)))
}

/// How many rows the statement processed. Not `Spi::run`, which stops a SELECT after its first row.
fn run_counting(statement: &str) -> i64 {
    Spi::connect_mut(|client| {
        client.update(statement, None, &[]).map(|_| {
            // SAFETY: a counter of this process that the statement has just set.
            i64::try_from(unsafe { pg_sys::SPI_processed }).unwrap_or(i64::MAX)
        })
    })
    .unwrap_or_report()
}

#[pg_extern(
    sql = "CREATE FUNCTION codeverify.read_as_owner_of(parent regclass, query text) RETURNS text \
           VOLATILE STRICT PARALLEL UNSAFE LANGUAGE c AS '@MODULE_PATHNAME@', '@FUNCTION_NAME@';"
)]
fn read_as_owner_of(parent: pg_sys::Oid, query: &str) -> Option<String> {
    or_raise(reading(parent, query, |query| {
        Spi::connect(|client| {
            let rows = client.select(query, Some(1), &[])?;
            if rows.is_empty() {
                Ok(None)
            } else {
                rows.first().get_one::<String>()
            }
        })
        .unwrap_or_report()
    }))
}

#[pg_extern(sql = "CREATE FUNCTION codeverify.find_missing_partition( \
               parent regclass, period text, premake integer, since timestamptz, at timestamptz) \
           RETURNS TABLE (ahead timestamptz, behind timestamptz, horizon timestamptz, partitions integer) \
           STABLE STRICT PARALLEL SAFE ROWS 1 LANGUAGE c AS '@MODULE_PATHNAME@', '@FUNCTION_NAME@';")]
#[allow(clippy::type_complexity)]
fn find_missing_partition(
    parent: pg_sys::Oid,
    period: &str,
    premake: i32,
    since: TimestampWithTimeZone,
    at: TimestampWithTimeZone,
) -> TableIterator<
    'static,
    (
        name!(ahead, Option<TimestampWithTimeZone>),
        name!(behind, Option<TimestampWithTimeZone>),
        name!(horizon, Option<TimestampWithTimeZone>),
        name!(partitions, i32),
    ),
> {
    let period = or_raise(parse(period));
    let premake = u32::try_from(premake).unwrap_or(0);
    let taken: Option<Vec<Range>> =
        bounds::list(parent).map(|list| list.into_iter().filter_map(|p| p.bounds).collect());
    let found = taken.and_then(|taken| {
        let missing =
            period::find_missing(&taken, period, premake, since.into_inner(), at.into_inner())?;
        Some((missing, i32::try_from(taken.len()).unwrap_or(i32::MAX)))
    });
    TableIterator::new(found.into_iter().map(|(missing, partitions)| {
        (
            missing.ahead.and_then(to_time),
            missing.behind.and_then(to_time),
            to_time(missing.horizon),
            partitions,
        )
    }))
}

#[pg_extern(
    sql = "CREATE FUNCTION codeverify.save_partition_set(parent regclass, changes jsonb) RETURNS void \
           VOLATILE STRICT PARALLEL UNSAFE LANGUAGE c AS '@MODULE_PATHNAME@', '@FUNCTION_NAME@';"
)]
fn save_partition_set(parent: pg_sys::Oid, changes: JsonB) {
    let document = changes.0.to_string();
    let sets_indexes = as_owner(|| {
        update_one::<bool>(
            "SELECT coalesce(pg_catalog.to_jsonb(s.closed_indexes), '[]') IS DISTINCT FROM $2::pg_catalog.jsonb -> 'closed_indexes' \
             FROM (SELECT) AS o \
             LEFT JOIN codeverify.list_partition_sets() AS s ON s.parent = $1::pg_catalog.oid",
            &[parent.into(), document.as_str().into()],
        )
    });
    require_rights(parent, sets_indexes != Some(false));
    as_owner(|| {
        // That maintenance will be able to do it is told now, not when it is due.
        or_raise(owner_for(parent));
        update(
            "SELECT codeverify.write_partition_set($1::pg_catalog.oid, $2::pg_catalog.jsonb)",
            &[parent.into(), document.as_str().into()],
            |_| Ok(()),
        );
    });
}

/// Ends the function unless the caller may say how a set is kept.
fn require_rights(parent: pg_sys::Oid, sets_indexes: bool) {
    // SAFETY: look-ups of roles and of a table's owner.
    let (is_ours, is_owner) = unsafe {
        let us = pg_sys::get_role_oid(OWNER_ROLE.as_ptr(), true);
        let owner = owner_of(parent);
        (
            owner == us,
            pg_sys::has_privs_of_role(pg_sys::GetUserId(), owner),
        )
    };
    let hint = if is_owner || is_ours && !sets_indexes && caller_has_role(c"codeverify_admin") {
        return;
    } else if is_ours {
        "codeverify_admin may configure the tables of codeverify; closed_indexes run with the rights of codeverify_owner, so that it takes one of its members or a superuser to set them."
    } else {
        "Ask the owner of the table."
    };
    ErrorReport::new(
        PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE,
        "permission denied to configure the partitions of the table",
        "codeverify",
    )
    .set_hint(hint)
    .report(PgLogLevel::ERROR);
}

fn parse(period: &str) -> Result<Period, Error> {
    Period::parse(period).ok_or_else(|| Error::NotAPeriod {
        period: period.to_owned(),
    })
}

#[pg_extern(
    sql = "CREATE FUNCTION codeverify.find_sibling(parent regclass, besides regclass) RETURNS regclass \
           STABLE PARALLEL SAFE LANGUAGE c AS '@MODULE_PATHNAME@', '@FUNCTION_NAME@';"
)]
fn find_sibling(parent: Option<pg_sys::Oid>, besides: Option<pg_sys::Oid>) -> Option<pg_sys::Oid> {
    bounds::find_sibling(&bounds::list(parent?)?, besides)
}

#[pg_extern(sql = "CREATE FUNCTION codeverify.make_partition( \
               parent regclass, period text, at timestamptz) \
           RETURNS TABLE (partition text, moved bigint) \
           VOLATILE STRICT PARALLEL UNSAFE ROWS 1 LANGUAGE c AS '@MODULE_PATHNAME@', '@FUNCTION_NAME@';")]
fn make_partition(
    parent: pg_sys::Oid,
    period: &str,
    at: TimestampWithTimeZone,
) -> TableIterator<'static, (name!(partition, String), name!(moved, i64))> {
    let period = or_raise(parse(period));
    let made = or_raise(making::make(parent, period, at.into_inner()));
    TableIterator::new(made.into_iter().map(|made| {
        (
            made.partition,
            i64::try_from(made.moved).unwrap_or(i64::MAX),
        )
    }))
}
