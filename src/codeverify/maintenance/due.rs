//! What a run has to do.

use super::tasks::{Step, Task, TASKS};
use crate::codeverify::query::{select, update};

/// What a caller asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish<'a> {
    Everything,
    Task(&'a str),
    Target(&'a str),
}

impl<'a> Wish<'a> {
    /// What codeverify.maintain(only) is given.
    pub fn read(only: Option<&'a str>) -> Wish<'a> {
        match only {
            None => Wish::Everything,
            Some(name) if TASKS.iter().any(|task| task.name == name) => Wish::Task(name),
            Some(name) => Wish::Target(name),
        }
    }

    pub fn includes_task(&self, task: &Task) -> bool {
        match self {
            Wish::Task(name) => task.name == *name,
            Wish::Everything | Wish::Target(_) => true,
        }
    }

    pub fn includes_target(&self, target: &str) -> bool {
        match self {
            Wish::Target(name) => target == *name,
            Wish::Everything | Wish::Task(_) => true,
        }
    }
}

/// The targets of a task that have something to do, of those that are wished for.
pub fn list_due(task: &Task, wish: &Wish) -> Vec<String> {
    let targets: Vec<String> = select(task.due, &[], |rows| {
        rows.filter_map(|row| row.get::<String>(1).transpose())
            .collect()
    });
    targets
        .into_iter()
        .filter(|target| wish.includes_target(target))
        .collect()
}

/// Takes a step; None when there was nothing to do.
pub fn take_step(task: &Task, target: &str) -> Option<Step> {
    update(task.step, &[target.into()], |mut rows| {
        rows.next()
            .map(|row| {
                Ok(Step {
                    action: row.get(1)?.unwrap_or_default(),
                    detail: row.get(2)?.unwrap_or_default(),
                    more: row.get(3)?.unwrap_or_default(),
                })
            })
            .transpose()
    })
}
