//! What codeverify.maintenance_tasks and codeverify.partition_sets remember of runs. To be called as codeverify_owner.

use super::report::{Tally, RUN};
use super::tasks::Step;
use crate::codeverify::query::{update, update_one};

/// A step went well and did something.
pub fn note_step(task: &str, target: &str, step: &Step, elapsed: i64) {
    update(
        "INSERT INTO codeverify.maintenance_tasks AS t \
             (task, target, last_run_at, last_success_at, last_action, last_detail, last_elapsed) \
         VALUES ($1, $2, codeverify.read_clock(), codeverify.read_clock(), $3, $4, $5 * interval '1 microsecond') \
         ON CONFLICT (task, target) DO UPDATE \
         SET last_run_at = excluded.last_run_at, \
             last_success_at = excluded.last_success_at, \
             last_action = excluded.last_action, \
             last_detail = excluded.last_detail, \
             last_elapsed = excluded.last_elapsed, \
             last_error = NULL, \
             last_error_at = NULL, \
             runs = t.runs + 1",
        &[
            task.into(),
            target.into(),
            step.action.as_str().into(),
            step.detail.as_str().into(),
            elapsed.into(),
        ],
        |_| Ok(()),
    );
    forgive_set(task, target);
}

/// There was nothing to do: only a failure before is worth a write.
pub fn note_nothing(task: &str, target: &str) {
    let was_failing = update_one::<bool>(
        "UPDATE codeverify.maintenance_tasks AS t \
         SET last_run_at = codeverify.read_clock(), \
             last_success_at = codeverify.read_clock(), \
             last_error = NULL, \
             last_error_at = NULL, \
             runs = t.runs + 1 \
         WHERE t.task = $1 AND t.target = $2 AND t.last_error IS NOT NULL \
         RETURNING true",
        &[task.into(), target.into()],
    );
    if was_failing == Some(true) {
        forgive_set(task, target);
    }
}

/// Takes the error off a set that no other task has failed at.
fn forgive_set(task: &str, target: &str) {
    update(
        "UPDATE codeverify.partition_sets AS s \
         SET last_error = NULL, last_error_at = NULL \
         WHERE s.parent::text = $2 \
           AND s.last_error IS NOT NULL \
           AND NOT EXISTS ( \
               SELECT FROM codeverify.maintenance_tasks AS t \
               WHERE t.target = $2 AND t.task <> $1 AND t.last_error IS NOT NULL)",
        &[task.into(), target.into()],
        |_| Ok(()),
    );
}

/// A step failed. Whether this is another failure than the last one, and so worth a line in the server's log.
pub fn note_failure(task: &str, target: &str, message: &str, elapsed: i64) -> bool {
    let is_known = update_one::<bool>(
        "SELECT true FROM codeverify.maintenance_tasks AS t \
         WHERE t.task = $1 AND t.target = $2 AND t.last_error = $3",
        &[task.into(), target.into(), message.into()],
    );
    update(
        "INSERT INTO codeverify.maintenance_tasks AS t \
             (task, target, last_run_at, last_elapsed, last_error, last_error_at, failures) \
         VALUES ($1, $2, codeverify.read_clock(), $4 * interval '1 microsecond', $3, codeverify.read_clock(), 1) \
         ON CONFLICT (task, target) DO UPDATE \
         SET last_run_at = excluded.last_run_at, \
             last_elapsed = excluded.last_elapsed, \
             last_error = excluded.last_error, \
             last_error_at = excluded.last_error_at, \
             runs = t.runs + 1, \
             failures = t.failures + 1",
        &[task.into(), target.into(), message.into(), elapsed.into()],
        |_| Ok(()),
    );
    update(
        "UPDATE codeverify.partition_sets AS s \
         SET last_error = pg_catalog.format('%s: %s', $1, $3), last_error_at = codeverify.read_clock() \
         WHERE s.parent::text = $2",
        &[task.into(), target.into(), message.into()],
        |_| Ok(()),
    );
    is_known != Some(true)
}

/// A run came to its end. A session that has noted one of its own and has not committed keeps nobody waiting.
pub fn note_run(tally: Tally, elapsed: i64) {
    let detail = tally.describe();
    let noted = update_one::<bool>(
        "UPDATE codeverify.maintenance_tasks AS t \
         SET last_run_at = codeverify.read_clock(), \
             last_success_at = codeverify.read_clock(), \
             last_action = 'ran', \
             last_detail = $2, \
             last_elapsed = $3 * interval '1 microsecond', \
             runs = t.runs + 1 \
         FROM ( \
             SELECT f.task, f.target FROM codeverify.maintenance_tasks AS f \
             WHERE f.task = $1 AND f.target = '' \
             FOR NO KEY UPDATE SKIP LOCKED) AS f \
         WHERE t.task = f.task AND t.target = f.target \
         RETURNING true",
        &[RUN.into(), detail.as_str().into(), elapsed.into()],
    );
    if noted.is_none() {
        update(
            "INSERT INTO codeverify.maintenance_tasks \
                 (task, target, last_run_at, last_success_at, last_action, last_detail, last_elapsed) \
             VALUES ($1, '', codeverify.read_clock(), codeverify.read_clock(), 'ran', $2, \
                 $3 * interval '1 microsecond') \
             ON CONFLICT (task, target) DO NOTHING",
            &[RUN.into(), detail.as_str().into(), elapsed.into()],
            |_| Ok(()),
        );
    }
}
