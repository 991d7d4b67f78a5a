//! A run: every step that is due, one after another.

use std::ffi::CStr;
use std::time::Instant;

use pgrx::prelude::*;

use super::due::{list_due, take_step, Wish};
use super::records;
use super::report::{Row, Tally};
use super::tasks::{Task, TASKS};
use crate::codeverify::interrupts::check_for_interrupts;

/// What a step runs under, whatever the database or the session has set: the same work wherever it is done.
pub const SETTINGS: [(&CStr, &CStr); 12] = [
    // Others wait for what a step holds while it waits; it may set its own.
    (c"lock_timeout", c"1s"),
    // How values are read and written as text.
    (c"TimeZone", c"UTC"),
    (c"DateStyle", c"ISO, MDY"),
    (c"IntervalStyle", c"postgres"),
    (c"extra_float_digits", c"1"),
    (c"array_nulls", c"on"),
    (c"quote_all_identifiers", c"off"),
    // What expressions and searches find.
    (c"transform_null_equals", c"off"),
    (c"gin_fuzzy_search_limit", c"0"),
    // Where and how tables and indexes are made.
    (c"default_tablespace", c""),
    (c"default_table_access_method", c"heap"),
    (c"row_security", c"on"),
];

/// Where a run takes place.
pub trait Ground {
    /// Does a piece of work as codeverify_owner, which is kept or, with an error, undone as a whole. Returns the
    /// error's message; that the run itself is stopped goes on.
    fn enclose<T>(&mut self, subject: &str, work: impl FnOnce() -> T) -> Result<T, String>;

    /// Whether to go on with another step.
    fn goes_on(&mut self) -> bool {
        true
    }

    /// Takes a row of the result.
    fn report(&mut self, row: Row);
}

/// Does everything that is due and wished for.
pub fn run(ground: &mut impl Ground, wish: &Wish) {
    let since = Instant::now();
    let mut tally = Tally::default();
    for task in TASKS.iter().filter(|task| wish.includes_task(task)) {
        let began = Instant::now();
        match ground.enclose(task.name, || list_due(task, wish)) {
            Ok(targets) => {
                for target in targets {
                    exhaust(ground, task, &target, &mut tally);
                }
            }
            Err(problem) => fail(ground, task, "", problem, began, &mut tally),
        }
    }
    note_run(ground, tally, since);
}

/// Remembers that a run came to its end.
pub fn note_run(ground: &mut impl Ground, tally: Tally, since: Instant) {
    if let Err(problem) = ground.enclose("maintain", || {
        records::note_run(tally, microseconds(since));
    }) {
        log!("codeverify.maintain() ran, and could not write that down: {problem}");
    }
}

/// Takes steps for a target until there is nothing left to do, or one fails.
fn exhaust(ground: &mut impl Ground, task: &Task, target: &str, tally: &mut Tally) {
    let subject = format!("{} of {target}", task.name);
    while ground.goes_on() {
        check_for_interrupts();
        let since = Instant::now();
        let result = ground.enclose(&subject, || {
            let step = take_step(task, target);
            match &step {
                Some(step) => records::note_step(task.name, target, step, microseconds(since)),
                None => records::note_nothing(task.name, target),
            }
            step
        });
        let step = match result {
            Ok(Some(step)) => step,
            Ok(None) => return,
            Err(problem) => return fail(ground, task, target, problem, since, tally),
        };
        tally.steps += 1;
        ground.report(Row {
            task: task.name.to_owned(),
            target: target.to_owned(),
            action: step.action,
            detail: step.detail,
            elapsed: microseconds(since),
        });
        if !step.more {
            return;
        }
    }
}

fn fail(
    ground: &mut impl Ground,
    task: &Task,
    target: &str,
    problem: String,
    since: Instant,
    tally: &mut Tally,
) {
    tally.failures += 1;
    let name = task.name;
    let noted = ground.enclose(name, || {
        records::note_failure(name, target, &problem, microseconds(since))
    });
    match noted {
        // The same again at every run would be a flood.
        Ok(false) => {}
        Ok(true) => log!("codeverify.maintain(): {name} of \"{target}\" failed: {problem}"),
        Err(other) => {
            log!("codeverify.maintain(): {name} of \"{target}\" failed: {problem}; writing that down, too: {other}");
        }
    }
    ground.report(Row {
        task: name.to_owned(),
        target: target.to_owned(),
        action: "failed".to_owned(),
        detail: problem,
        elapsed: microseconds(since),
    });
}

fn microseconds(since: Instant) -> i64 {
    i64::try_from(since.elapsed().as_micros()).unwrap_or(i64::MAX)
}
