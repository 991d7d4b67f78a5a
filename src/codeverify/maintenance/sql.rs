//! codeverify.maintain(); its comment and grant are in sql/codeverify/maintenance.sql.

use std::time::Instant;

use pgrx::datum::Interval;
use pgrx::prelude::*;

use super::due::{list_due, Wish};
use super::here::Here;
use super::is_deployed;
use super::launch::{self, Trouble};
use super::lock::{try_to_run, Until};
use super::queue::Request;
use super::report::{Row, Tally};
use super::runner::{note_run, run, Ground};
use super::tasks::TASKS;
use crate::codeverify::errors::Error;
use crate::codeverify::owner::as_owner;
use crate::codeverify::query::select;
use crate::codeverify::raise::{or_raise, raise};
use crate::codeverify::settings;
use crate::codeverify::subtransaction::keep_if;
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
    check_server()?;
    let since = Instant::now();
    let wish = Wish::read(only);
    match look(&wish) {
        Due::Busy => Ok(vec![Row::skipped()]),
        Due::Nothing => {
            if let Wish::Target(name) = wish {
                require_target(name);
            }
            note_run(&mut Here::default(), Tally::default(), since);
            Ok(Vec::new())
        }
        Due::Something if settings::own_transactions() => run_apart(only, &wish),
        Due::Something => Ok(run_here(Vec::new(), &wish)),
    }
}

fn check_server() -> Result<(), Error> {
    let (problem, hint) = if is_standby() {
        (
            "the server is a standby",
            "Call it on the primary: what it does comes over from there.",
        )
    } else if !can_write() {
        (
            "the transaction may only read",
            "Call it in a transaction that may write: BEGIN READ WRITE.",
        )
    } else if !is_deployed() {
        (
            "the tables of codeverify are not there",
            "Make them with SELECT codeverify.deploy();",
        )
    } else {
        return Ok(());
    };
    Err(Error::MaintenanceUnavailable { problem, hint })
}

fn is_standby() -> bool {
    // SAFETY: looks at the server's state.
    unsafe { pg_sys::RecoveryInProgress() }
}

fn run_apart(only: Option<&str>, wish: &Wish) -> Result<Vec<Row>, Error> {
    let request = Request {
        only: only.map(str::to_owned),
        clock: settings::clock(),
    };
    match launch::run(&request) {
        Ok(rows) => Ok(rows),
        Err(Trouble::NoWorker) => Ok(run_here(
            vec![Row::about_run(
                "degraded",
                "no background worker was free (max_worker_processes): in the caller's transaction instead",
            )],
            wish,
        )),
        Err(Trouble::Ended) => Err(Error::MaintenanceUnavailable {
            problem: "its background worker ended before it was done",
            hint: "The server's log says why. Steps that were done are kept; call it again for the rest.",
        }),
    }
}

/// Runs in the caller's transaction, which keeps the locks of all steps to its end.
fn run_here(rows: Vec<Row>, wish: &Wish) -> Vec<Row> {
    if !try_to_run(Until::TransactionEnds) {
        return vec![Row::skipped()];
    }
    let mut here = Here { rows };
    run(&mut here, wish);
    here.rows
}

/// What a look before the run saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Due {
    /// Somebody else runs.
    Busy,
    Nothing,
    Something,
}

/// Whether anything is due: that takes no worker to find out. It is undone, so that the worker does not meet locks of
/// its own caller. What fails is due, so that the run tells of it.
fn look(wish: &Wish) -> Due {
    keep_if(false, || {
        if !try_to_run(Until::TransactionEnds) {
            return Due::Busy;
        }
        let mut here = Here::default();
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
    })
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
