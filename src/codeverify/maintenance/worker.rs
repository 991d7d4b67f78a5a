//! A run in a background process of its own, each step in a transaction.

use std::ffi::{c_int, CString};
use std::ptr;

use pgrx::prelude::*;

use super::due::Wish;
use super::is_deployed;
use super::lock::{release, try_to_run, Until};
use super::queue::{Message, Sender};
use super::report::Row;
use super::runner::{run, Ground, SETTINGS};
use crate::codeverify::background::{as_owner_to_the_end, fix_settings, in_transaction};
use crate::codeverify::caught::catch;
use crate::codeverify::progress::{Operation, Progress};
use crate::codeverify::server::handle_signal;

extern "C-unwind" {
    /// The server's handlers of signals: pgrx's wrappers of them cannot be handlers.
    fn die(signal: c_int);
    fn SignalHandlerForConfigReload(signal: c_int);
}

const SIGHUP: c_int = 1;
const SIGTERM: c_int = 15;

/// What the postmaster calls in the process that runs for a caller. An error ends it and is in the server's log.
#[pg_guard]
#[no_mangle]
pub extern "C-unwind" fn codeverify_run_maintenance(argument: pg_sys::Datum) {
    handle_signals();
    // None when the caller is gone.
    let Some((sender, database, request)) = Sender::attach(argument.value() as pg_sys::dsm_handle)
    else {
        return;
    };
    // SAFETY: once in the life of the process: it is connected as the bootstrap superuser after this, or has ended.
    unsafe {
        pg_sys::BackgroundWorkerInitializeConnectionByOid(database.into(), pg_sys::InvalidOid, 0);
    }
    prepare();
    set_clock(request.clock);
    let wish = Wish::read(request.only.as_deref());
    if !run_alone(&wish, |row| sender.send(&Message::Row(row))) {
        sender.send(&Message::Row(Row::skipped()));
    }
    sender.send(&Message::Done);
}

/// Lets the process be stopped in the midst of a step.
pub fn handle_signals() {
    // SAFETY: at the start of a background process, whose signals are blocked until then. The handlers are the
    // server's own for processes that run queries.
    unsafe {
        handle_signal(SIGHUP, SignalHandlerForConfigReload);
        handle_signal(SIGTERM, die);
        pg_sys::BackgroundWorkerUnblockSignals();
    }
}

/// Makes a process that has just connected independent of what is set for the database.
pub fn prepare() {
    fix_settings(&SETTINGS);
    fix_settings(&[
        (c"application_name", c"codeverify maintenance"),
        // A standby that does not answer must not keep the next step waiting.
        (c"synchronous_commit", c"local"),
    ]);
}

fn set_clock(clock: Option<String>) {
    let Some(clock) = clock.and_then(|clock| CString::new(clock).ok()) else {
        return;
    };
    // SAFETY: the server copies both strings; what the caller could set is a value that it takes.
    unsafe {
        pg_sys::SetConfigOption(
            c"codeverify.clock".as_ptr(),
            clock.as_ptr(),
            pg_sys::GucContext::PGC_SUSET,
            pg_sys::GucSource::PGC_S_SESSION,
        );
    }
}

/// Runs, unless somebody else does. Whether it did.
pub fn run_alone(wish: &Wish, report: impl FnMut(Row)) -> bool {
    if !in_transaction(|| try_to_run(Until::ProcessEnds)) {
        return false;
    }
    run(
        &mut Alone {
            report,
            steps: 0,
            yields: false,
        },
        wish,
    );
    // Not only when the process ends: its caller may go on at once.
    in_transaction(release);
    true
}

/// Runs without a caller, unless somebody else does, and for as long as nobody wants to drop or copy the database.
pub fn run_as_launched() {
    if !in_transaction(|| try_to_run(Until::ProcessEnds)) {
        return;
    }
    let mut ground = Alone {
        report: |_| {},
        steps: 0,
        yields: true,
    };
    run(&mut ground, &Wish::Everything);
}

/// Whether the tables are there.
pub fn finds_tables() -> bool {
    in_transaction(is_deployed)
}

struct Alone<R> {
    report: R,
    /// How many were taken.
    steps: usize,
    /// Whether it makes way for who waits for the database to be left.
    yields: bool,
}

impl<R: FnMut(Row)> Ground for Alone<R> {
    fn enclose<T>(&mut self, subject: &str, work: impl FnOnce() -> T) -> Result<T, String> {
        show_activity(Some(subject));
        let steps = self.steps;
        let result = catch(|| {
            in_transaction(|| {
                as_owner_to_the_end(|| {
                    let mut progress = Progress::start(Operation::Maintain, 0);
                    progress.advance(steps);
                    work()
                })
            })
        });
        let result = result.map_err(|error| {
            // SAFETY: the transaction that was begun for `work`, or what the error has left of it.
            unsafe { pg_sys::AbortCurrentTransaction() };
            if error.is_interruption() {
                error.rethrow();
            }
            error.message().to_owned()
        });
        // SAFETY: outside a transaction, as it must be. Autovacuum goes by these counts.
        unsafe { pg_sys::pgstat_report_stat(false) };
        show_activity(None);
        result
    }

    fn goes_on(&mut self) -> bool {
        !self.yields || in_transaction(nobody_locks_the_database)
    }

    fn report(&mut self, row: Row) {
        self.steps += 1;
        (self.report)(row);
    }
}

/// DROP DATABASE and CREATE DATABASE ... TEMPLATE lock it against new sessions and wait for those that are there.
fn nobody_locks_the_database() -> bool {
    let tag = pg_sys::LOCKTAG {
        locktag_field1: 0,
        locktag_field2: pg_sys::DatabaseRelationId.to_u32(),
        // SAFETY: set once when the process connects.
        locktag_field3: unsafe { pg_sys::MyDatabaseId }.to_u32(),
        locktag_field4: 0,
        locktag_type: pg_sys::LockTagType::LOCKTAG_OBJECT as u8,
        locktag_lockmethodid: pg_sys::DEFAULT_LOCKMETHOD as u8,
    };
    // SAFETY: the tag lives during the call, which does not wait; the lock goes with the transaction.
    let result = unsafe {
        pg_sys::LockAcquire(
            &tag,
            pg_sys::RowExclusiveLock as pg_sys::LOCKMODE,
            false,
            true,
        )
    };
    result != pg_sys::LockAcquireResult::LOCKACQUIRE_NOT_AVAIL
}

/// Says in pg_stat_activity what the process is at.
fn show_activity(subject: Option<&str>) {
    let text = subject.and_then(|subject| CString::new(format!("codeverify: {subject}")).ok());
    let (state, text) = match &text {
        Some(text) => (pg_sys::BackendState::STATE_RUNNING, text.as_ptr()),
        None => (pg_sys::BackendState::STATE_IDLE, ptr::null()),
    };
    // SAFETY: the server copies the text.
    unsafe { pg_sys::pgstat_report_activity(state, text) };
}
