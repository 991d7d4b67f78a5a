//! The launcher: starts a writer for each database that has something to flush, and a worker for each that is due for
//! maintenance.

use std::path::Path;
use std::time::{Duration, Instant};
use std::{ffi::CStr, fs, iter, ptr};

use pgrx::prelude::*;

use super::process::{count_sessions, describe, handle_signals, is_stopping, sleep, Child};
use super::writer::write_behind;
use super::MOST_WRITERS;
use crate::auth::rate_limits::saved;
use crate::codeverify::maintenance::keeper::Keeper;
use crate::codeverify::shared_memory::databases;
use crate::codeverify::shared_memory::forget;
use crate::codeverify::time::stored_now as now;

/// How long until a writer is tried again for which no process was free, in microseconds.
const RETRY: i64 = 1_000_000;

/// How long the launcher waits for the last sessions when it is told to stop.
const LAST_WAIT: Duration = Duration::from_secs(2);

/// And for the writers, which wait for the last sessions of their databases, too.
const LAST_WAIT_FOR_WRITERS: Duration = Duration::from_secs(6);

/// Has the server keep a launcher. To be called from `_PG_init` while the server loads its libraries.
pub fn register() {
    let mut launcher = describe(c"codeverify launcher", c"codeverify_launch_writers", 5);
    // SAFETY: the server copies the description.
    unsafe { pg_sys::RegisterBackgroundWorker(&mut launcher) };
}

/// A writer that was started.
struct Writer {
    database: u32,
    process: Child,
    /// Flushes of the database before.
    flushes: u32,
}

/// What the postmaster calls in the launcher's process.
#[pg_guard]
#[no_mangle]
pub extern "C-unwind" fn codeverify_launch_writers(_argument: pg_sys::Datum) {
    handle_signals();
    // SAFETY: the process's own latch.
    databases::set_launcher(unsafe { pg_sys::MyLatch });
    if let Err(error) = saved::take_up() {
        log!("codeverify could not read what was noted of API keys before the start: {error}");
    }
    let mut writers = Vec::new();
    let mut keeper = Keeper::default();
    while !is_stopping() {
        let next = [supervise(&mut writers), keeper.supervise(now())];
        let next = next.into_iter().flatten().min();
        sleep(next.map(|next| next - now()));
    }
    databases::set_launcher(ptr::null_mut());
    write_the_rest(&writers);
    leave_the_rest(&writers);
    // So that it is started again, unless the server goes down.
    // SAFETY: the regular end of a process.
    unsafe { pg_sys::proc_exit(1) };
}

/// Starts the writers that are needed. When to come back though nobody wakes the launcher.
fn supervise(writers: &mut Vec<Writer>) -> Option<i64> {
    writers.retain(|writer| {
        let stopped = writer.process.has_stopped();
        if stopped {
            note_end(writer);
        }
        !stopped
    });
    let mut next: Option<i64> = None;
    let mut is_wanted = false;
    for entry in databases::known() {
        let database = entry.oid();
        if writers.iter().any(|writer| writer.database == database) {
            continue;
        }
        let Some(due) = entry.due_at(now()) else {
            continue;
        };
        let again = if due > now() {
            due
        } else if !exists(database) {
            forget(database);
            continue;
        } else if writers.len() >= MOST_WRITERS {
            // One of them ends before long, which wakes the launcher.
            is_wanted = true;
            continue;
        } else if let Some(process) = start(database) {
            let flushes = entry.flushes();
            writers.push(Writer {
                database,
                process,
                flushes,
            });
            continue;
        } else {
            now() + RETRY
        };
        next = Some(next.map_or(again, |next| next.min(again)));
    }
    databases::want_writer(is_wanted);
    next
}

fn start(database: u32) -> Option<Child> {
    let mut worker = describe(
        c"codeverify writer",
        c"codeverify_write_behind",
        pg_sys::BGW_NEVER_RESTART,
    );
    worker.bgw_main_arg = pg_sys::Datum::from(database);
    Child::start(worker)
}

/// A writer that ended before its first flush could not connect: it is not started again at once.
fn note_end(writer: &Writer) {
    if let Some(entry) = databases::find(writer.database) {
        if entry.flushes() == writer.flushes && entry.has_work() {
            entry.note_failure(now());
        }
    }
}

/// Whether the database is there, in whatever tablespace. A writer could only fail to connect to one that was dropped,
/// for ever; what is not certain it is to find out.
fn exists(database: u32) -> bool {
    // Twice, since it may be moved from a tablespace that is looked into later to one that was looked into before.
    (0..2).any(|_| tablespaces().is_none_or(|mut all| all.any(|one| has_directory(database, one))))
}

/// The server's tablespaces; None where they cannot be listed.
fn tablespaces() -> Option<impl Iterator<Item = u32>> {
    // The server's working directory is its data directory.
    let links: Vec<_> = fs::read_dir("pg_tblspc")
        .ok()?
        .collect::<Result<_, _>>()
        .ok()?;
    let others = links
        .into_iter()
        .filter_map(|link| link.file_name().to_str()?.parse().ok());
    Some(iter::once(pg_sys::DEFAULTTABLESPACE_OID.to_u32()).chain(others))
}

fn has_directory(database: u32, tablespace: u32) -> bool {
    // SAFETY: returns a string in the current memory context.
    unsafe {
        let path = pg_sys::GetDatabasePath(database.into(), tablespace.into());
        let exists = CStr::from_ptr(path)
            .to_str()
            .is_ok_and(|path| Path::new(path).try_exists().unwrap_or(true));
        pg_sys::pfree(path.cast());
        exists
    }
}

/// No process is started any more once the server goes down: a database that has changes and no writer becomes the
/// launcher's own, which can connect to one.
fn write_the_rest(writers: &[Writer]) {
    let deadline = Instant::now() + LAST_WAIT;
    while Instant::now() < deadline {
        let left = databases::known().find(|entry| {
            let has_writer = writers
                .iter()
                .any(|writer| writer.database == entry.oid() && writer.process.is_running());
            entry.has_work() && !has_writer
        });
        if let Some(entry) = left {
            write_behind(entry.oid());
            return;
        }
        if count_sessions(0) == 0 {
            return;
        }
        sleep(Some(20_000));
    }
}

/// What only waits to be told of databases that nobody writes any more is left to the next launcher. Of those that have
/// a writer still, it is the writer's.
fn leave_the_rest(writers: &[Writer]) {
    let deadline = Instant::now() + LAST_WAIT_FOR_WRITERS;
    while writers.iter().any(|writer| writer.process.is_running()) && Instant::now() < deadline {
        sleep(Some(20_000));
    }
    let is_written = |database| {
        let of_database = |writer: &&Writer| writer.database == database;
        writers
            .iter()
            .filter(of_database)
            .any(|writer| writer.process.is_running())
    };
    if let Err(error) = saved::keep(|database| !is_written(database)) {
        log!("codeverify could not save what was noted of API keys: {error}");
    }
}
