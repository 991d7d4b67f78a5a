//! codeverify.maintain(); its comment and grant are in sql/codeverify/maintenance.sql.

use std::time::Instant;

use pgrx::datum::Interval;
use pgrx::prelude::*;

use super::due::{list_due, Wish};
use super::here::Here;
use super::lock::{try_to_run, Until};
use super::report::{Row, Tally};
use super::runner::{note_run, run, Ground};
use super::tasks::TASKS;
use crate::codeverify::errors::Error;
use crate::codeverify::owner::as_owner;
use crate::codeverify::query::select;
use crate::codeverify::raise::{or_raise, raise};
use crate::codeverify::transaction::can_write;

extension_sql_file!(
    "../../../sql/codeverify/maintenance.sql",
    name = "codeverify_maintenance",
    requires = [maintain, "codeverify_clock"]
);

#[pg_extern(schema = "codeverify", volatile, parallel_unsafe)]
#[allow(clippy::type_complexity)]
fn maintain(
    only: default!(Option<&str>, "NULL"),
) -> TableIterator<
    'static,
    (
        name!(task, String),
        name!(target, String),
        name!(action, String),
        name!(detail, String),
        name!(elapsed, Interval),
    ),
> {
    let rows = or_raise(rows_of_run(only));
    TableIterator::new(rows.into_iter().map(|row| {
        let elapsed = Interval::from_micros(row.elapsed);
        (row.task, row.target, row.action, row.detail, elapsed)
    }))
}

fn rows_of_run(only: Option<&str>) -> Result<Vec<Row>, Error> {
    if !can_write() {
        return Err(Error::MaintenanceUnavailable {
            problem: "the transaction may only read",
            hint: "Call it outside of read-only transactions, on the primary.",
        });
    }
    if !is_deployed() {
        return Err(Error::MaintenanceUnavailable {
            problem: "the tables of codeverify are not there",
            hint: "Make them with SELECT codeverify.deploy();",
        });
    }
    let since = Instant::now();
    let wish = Wish::read(only);
    if !try_to_run(Until::TransactionEnds) {
        return Ok(vec![Row::skipped()]);
    }
    let mut here = Here::default();
    let due = look(&mut here, &wish);
    if due == Due::Nothing {
        if let Wish::Target(name) = wish {
            require_target(name);
        }
        note_run(&mut here, Tally::default(), since);
    } else {
        run(&mut here, &wish);
    }
    Ok(here.rows)
}

/// What a look before the run saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Due {
    Nothing,
    Something,
}

/// Whether anything is due: that takes no worker to find out. What fails is due, so that the run tells of it.
fn look(here: &mut Here, wish: &Wish) -> Due {
    let is_due = TASKS
        .iter()
        .filter(|task| wish.includes_task(task))
        .any(|task| {
            here.enclose(task.name, || list_due(task, wish))
                .map_or(true, |targets| !targets.is_empty())
        });
    if is_due {
        Due::Something
    } else {
        Due::Nothing
    }
}

/// Refuses what is neither due nor a target that maintenance knows.
fn require_target(name: &str) {
    let targets: Vec<String> = as_owner(|| {
        select(
            "SELECT t FROM codeverify.list_maintenance_targets() AS t ORDER BY 1",
            &[],
            |rows| {
                rows.filter_map(|row| row.get::<String>(1).transpose())
                    .collect()
            },
        )
    });
    if !targets.iter().any(|target| target == name) {
        raise(Error::UnknownMaintenance {
            name: name.to_owned(),
            tasks: TASKS.iter().map(|task| task.name.to_owned()).collect(),
            targets,
        });
    }
}

/// Looked up without a query, which would fail.
fn is_deployed() -> bool {
    // SAFETY: catalog look-ups in a transaction, with 'static strings; what is missing gives InvalidOid.
    unsafe {
        let schema = pg_sys::get_namespace_oid(c"codeverify".as_ptr(), true);
        pg_sys::get_relname_relid(c"maintenance_tasks".as_ptr(), schema) != pg_sys::InvalidOid
    }
}
