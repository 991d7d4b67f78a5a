//! Functions of schema analysis that need Rust; their comments and grants are in sql/analysis/functions.sql.

use pgrx::prelude::*;
use pgrx::JsonB;

use super::export;
use super::import::{self, Outcome};
use crate::codeverify::errors::Error;
use crate::codeverify::jsonb::JsonbArgument;
use crate::codeverify::raise::or_raise;

extension_sql_file!(
    "../../sql/analysis/functions.sql",
    name = "analysis_functions",
    requires = [import_sarif, import_sarif_text, export_sarif]
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
    let sarif = or_raise(sarif.ok_or_else(import::null_log));
    report(import::import(analysis_id, sarif.size(), || sarif.text()))
}

/// The same for a log that is text: it is read once, where the cast to jsonb would read it twice.
#[pg_extern(schema = "analysis", name = "import_sarif", volatile, parallel_unsafe)]
#[allow(clippy::type_complexity)]
fn import_sarif_text(
    analysis_id: Option<pgrx::Uuid>,
    sarif_text: Option<&str>,
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
    let text = or_raise(sarif_text.ok_or_else(import::null_log));
    report(import::import(analysis_id, text.len(), || text))
}

/// The columns that both forms return.
type Report = (i32, String, i32, i32, i32, i32);

fn report(outcomes: Result<Vec<Outcome>, Error>) -> TableIterator<'static, Report> {
    // A log below the size limit cannot hold more results than an int counts.
    let count = |number: usize| i32::try_from(number).unwrap_or(i32::MAX);
    let rows = or_raise(outcomes).into_iter().enumerate();
    TableIterator::new(rows.map(move |(index, run)| {
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
