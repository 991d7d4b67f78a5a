//! The launcher's part in maintenance: starts a worker for each database that the settings name, when it is due.

use std::ffi::CStr;

use pgrx::prelude::*;

use super::outcomes::OUTCOMES;
use super::settings;
use super::timetable::{parse_names, revise, share_of, Outcome, Plan, MOST_DATABASES};
use super::worker::{finds_tables, handle_signals, prepare, run_as_launched};
use crate::codeverify::worker::process::{describe, Child};

/// How long until a worker is tried again for which no process was free, in microseconds.
const RETRY: i64 = 5_000_000;

/// What the launcher knows of maintenance.
#[derive(Default)]
pub struct Keeper {
    plans: Vec<Plan>,
    running: Vec<Running>,
    /// The settings that the plans are made from.
    interval: i64,
    databases: Option<String>,
}

struct Running {
    database: String,
    place: usize,
    child: Child,
}

impl Keeper {
    /// Starts the workers that are due. When to come back though nobody wakes the launcher.
    pub fn supervise(&mut self, now: i64) -> Option<i64> {
        self.read_settings(now);
        self.note_ends(now);
        if self.interval == 0 {
            return None;
        }
        let mut next: Option<i64> = None;
        for index in 0..self.plans.len() {
            let Plan { database, due, .. } = &self.plans[index];
            if self.running.iter().any(|one| one.database == *database) {
                continue;
            }
            if *due > now {
                next = Some(next.map_or(*due, |next| next.min(*due)));
                continue;
            }
            // SAFETY: a setting that only the server's start sets.
            if self.running.len() >= share_of(unsafe { pg_sys::max_worker_processes }) {
                // One of them ends before long, which wakes the launcher.
                continue;
            }
            let database = database.clone();
            if !self.start(&database) {
                let again = now.saturating_add(RETRY);
                next = Some(next.map_or(again, |next| next.min(again)));
            }
        }
        next
    }

    fn read_settings(&mut self, now: i64) {
        let interval = settings::interval();
        let databases = settings::databases();
        if interval == self.interval && databases == self.databases {
            return;
        }
        let names = match databases.as_deref().map_or(Some(Vec::new()), parse_names) {
            Some(names) => names,
            None => {
                log!("codeverify.maintenance_databases is no list of names, and comes to nothing");
                Vec::new()
            }
        };
        if names.len() > MOST_DATABASES {
            log!("codeverify.maintenance_databases names more than {MOST_DATABASES} databases: the rest is left out");
        }
        self.plans = revise(&self.plans, names, now, interval);
        self.interval = interval;
        self.databases = databases;
    }

    fn note_ends(&mut self, now: i64) {
        let interval = self.interval;
        let plans = &mut self.plans;
        self.running.retain(|one| {
            if !one.child.has_stopped() {
                return true;
            }
            if let Some(plan) = plans.iter_mut().find(|plan| plan.database == one.database) {
                if plan.note(OUTCOMES.get(one.place), now, interval) {
                    log!(
                        "database \"{}\" has no tables of codeverify to maintain",
                        one.database
                    );
                }
            }
            false
        });
    }

    fn start(&mut self, database: &str) -> bool {
        let Some(place) =
            (0..MOST_DATABASES).find(|place| self.running.iter().all(|one| one.place != *place))
        else {
            return false;
        };
        let mut worker = describe(
            c"codeverify maintenance",
            c"codeverify_maintain_database",
            pg_sys::BGW_NEVER_RESTART,
        );
        worker.bgw_main_arg = pg_sys::Datum::from(place);
        // Shorter than what there is room for, so that it ends in a zero.
        for (to, from) in worker.bgw_extra.iter_mut().zip(database.bytes()) {
            *to = from.cast_signed();
        }
        OUTCOMES.clear(place);
        let Some(child) = Child::start(worker) else {
            return false;
        };
        self.running.push(Running {
            database: database.to_owned(),
            place,
            child,
        });
        true
    }
}

/// What the postmaster calls in a worker's process; the argument is the place for what comes of it.
#[pg_guard]
#[no_mangle]
pub extern "C-unwind" fn codeverify_maintain_database(argument: pg_sys::Datum) {
    handle_signals();
    // SAFETY: once in the life of the process: it is connected as the bootstrap superuser after this, or has ended. The
    // name is the one that start() has put there.
    unsafe {
        let name = CStr::from_ptr((*pg_sys::MyBgworkerEntry).bgw_extra.as_ptr());
        pg_sys::BackgroundWorkerInitializeConnection(name.as_ptr(), std::ptr::null(), 0);
    }
    prepare();
    let outcome = if finds_tables() {
        run_as_launched();
        Outcome::Ran
    } else {
        Outcome::NothingThere
    };
    OUTCOMES.set(argument.value(), outcome);
}
