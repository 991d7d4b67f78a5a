//! Functions of schema analysis that need Rust; their comments and grants are in sql/analysis/functions.sql.

use pgrx::prelude::*;
use pgrx::JsonB;

use super::{export, import};
use crate::codeverify::errors::Error;
use crate::codeverify::jsonb::JsonbArgument;
use crate::codeverify::raise::or_raise;

extension_sql_file!(
    "../../sql/analysis/functions.sql",
    name = "analysis_functions",
    requires = [import_sarif, export_sarif]
);

#[pg_extern(schema = "analysis", volatile, parallel_unsafe)]
#[allow(clippy::type_complexity)]
fn import_sarif(
    analysis_id: Option<pgrx::Uuid>,
    sarif: Option<JsonbArgument>,
) -> TableIterator<
    'static,
    (
        name!(run_index, i32),
        name!(tool, String),
        name!(imported, i32),
        name!(updated, i32),
        name!(suppressed, i32),
        name!(skipped, i32),
    ),
> {
    let analysis_id = or_raise(analysis_id.ok_or_else(|| Error::NoSuchAnalysis {
        analysis_id: "NULL".to_owned(),
    }));
    let log = or_raise(sarif.ok_or_else(|| Error::InvalidSarif {
        path: "$".to_owned(),
        problem: "it is NULL".to_owned(),
    }));
    let outcomes = or_raise(import::import(analysis_id, &log));
    // A log below the size limit cannot hold more results than an int counts.
    let count = |number: usize| i32::try_from(number).unwrap_or(i32::MAX);
    TableIterator::new(outcomes.into_iter().enumerate().map(move |(index, run)| {
        (
            count(index),
            run.tool,
            count(run.imported),
            count(run.updated),
            count(run.suppressed),
            count(run.skipped),
        )
    }))
}

#[pg_extern(schema = "analysis", stable, parallel_restricted)]
fn export_sarif(analysis_id: pgrx::Uuid) -> JsonB {
    JsonB(or_raise(export::export(analysis_id)))
}
