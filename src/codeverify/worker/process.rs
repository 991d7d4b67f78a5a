//! What the launcher and the writers have in common as background processes.

use std::ffi::{c_char, c_int, c_long, CStr};
use std::ptr;
use std::time::Duration;

use pgrx::pg_sys;

use crate::codeverify::background::fix_settings;
use crate::codeverify::interrupts::check_for_interrupts;
use crate::codeverify::server::handle_signal;

extern "C-unwind" {
    // The server's own handlers: pgrx's wrappers cannot be handlers.
    fn SignalHandlerForShutdownRequest(signal: c_int);
    fn SignalHandlerForConfigReload(signal: c_int);
}

const SIGHUP: c_int = 1;
const SIGTERM: c_int = 15;

/// Lets the process be stopped and told of new settings, at times that it chooses.
pub fn handle_signals() {
    // SAFETY: at the start of a background process, whose signals are blocked until then.
    unsafe {
        handle_signal(SIGHUP, SignalHandlerForConfigReload);
        handle_signal(SIGTERM, SignalHandlerForShutdownRequest);
        pg_sys::BackgroundWorkerUnblockSignals();
    }
}

/// Whether the process has been told to end.
pub fn is_stopping() -> bool {
    // SAFETY: a flag that a signal handler of this process sets.
    unsafe { ptr::read_volatile(&raw const pg_sys::ShutdownRequestPending) != 0 }
}

/// Sleeps until somebody wakes the process, or for a time in microseconds; then reads settings that were changed.
pub fn sleep(time: Option<i64>) {
    let events = pg_sys::WL_LATCH_SET | pg_sys::WL_EXIT_ON_PM_DEATH;
    let (events, timeout) = match time {
        // Rounded up, so as not to wake a moment too early.
        Some(time) => (
            events | pg_sys::WL_TIMEOUT,
            time.clamp(0, 3_600_000_000) / 1000 + 1,
        ),
        None => (events, -1),
    };
    // SAFETY: the process's own latch; settings are read outside transactions.
    unsafe {
        pg_sys::WaitLatch(
            pg_sys::MyLatch,
            events as c_int,
            timeout as c_long,
            pg_sys::PG_WAIT_EXTENSION,
        );
        pg_sys::ResetLatch(pg_sys::MyLatch);
        // What other processes ask of all processes, too.
        check_for_interrupts();
        if ptr::read_volatile(&raw const pg_sys::ConfigReloadPending) != 0 {
            pg_sys::ConfigReloadPending = 0;
            pg_sys::ProcessConfigFile(pg_sys::GucContext::PGC_SIGHUP);
        }
    }
}

/// Waits a moment, in a process that has its own way to be stopped and told of new settings.
pub fn sleep_here(time: Duration) {
    let milliseconds = c_long::try_from(time.as_millis()).unwrap_or(c_long::MAX);
    // SAFETY: the process's own latch.
    unsafe {
        pg_sys::WaitLatch(
            pg_sys::MyLatch,
            (pg_sys::WL_LATCH_SET | pg_sys::WL_TIMEOUT | pg_sys::WL_EXIT_ON_PM_DEATH) as c_int,
            milliseconds.max(1),
            pg_sys::PG_WAIT_EXTENSION,
        );
        pg_sys::ResetLatch(pg_sys::MyLatch);
    }
}

/// A background process that this one has started.
pub struct Child(*mut pg_sys::BackgroundWorkerHandle);

impl Child {
    /// Starts a process, whose end wakes this one. None when no process is free.
    pub fn start(mut worker: pg_sys::BackgroundWorker) -> Option<Child> {
        let mut handle = ptr::null_mut();
        // SAFETY: the server copies the description; the handle is allocated in the current context, which is to
        // be one that lasts as long as the process.
        let is_started = unsafe {
            worker.bgw_notify_pid = pg_sys::MyProcPid;
            pg_sys::RegisterDynamicBackgroundWorker(&mut worker, &mut handle)
        };
        // There is no handle to give back otherwise.
        is_started.then(|| Child(handle))
    }

    pub fn is_running(&self) -> bool {
        self.state() == pg_sys::BgwHandleStatus::BGWH_STARTED
    }

    pub fn has_stopped(&self) -> bool {
        matches!(
            self.state(),
            pg_sys::BgwHandleStatus::BGWH_STOPPED | pg_sys::BgwHandleStatus::BGWH_POSTMASTER_DIED
        )
    }

    fn state(&self) -> pg_sys::BgwHandleStatus::Type {
        let mut process = 0;
        // SAFETY: the handle is the server's, and is kept for as long as this.
        unsafe { pg_sys::GetBackgroundWorkerPid(self.0, &mut process) }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // SAFETY: RegisterDynamicBackgroundWorker() has allocated it, for this process to keep.
        unsafe { pg_sys::pfree(self.0.cast()) };
    }
}

/// A background process of this library that may connect to a database.
pub fn describe(
    name: &CStr,
    function: &CStr,
    restart_after_seconds: c_int,
) -> pg_sys::BackgroundWorker {
    let mut worker = pg_sys::BackgroundWorker {
        bgw_flags: (pg_sys::BGWORKER_SHMEM_ACCESS | pg_sys::BGWORKER_BACKEND_DATABASE_CONNECTION)
            as c_int,
        bgw_start_time: pg_sys::BgWorkerStartTime::BgWorkerStart_RecoveryFinished,
        bgw_restart_time: restart_after_seconds,
        ..Default::default()
    };
    copy(name, &mut worker.bgw_name);
    copy(name, &mut worker.bgw_type);
    copy(c"$libdir/codeverify", &mut worker.bgw_library_name);
    copy(function, &mut worker.bgw_function_name);
    worker
}

fn copy(text: &CStr, field: &mut [c_char]) {
    for (to, from) in field.iter_mut().zip(text.to_bytes_with_nul()) {
        *to = from.cast_signed() as c_char;
    }
}

/// Connects to a database as the bootstrap superuser, even to one that takes no other connections, or ends the process.
pub fn connect(database: u32) {
    // SAFETY: once in the life of a background process.
    unsafe {
        pg_sys::BackgroundWorkerInitializeConnectionByOid(
            pg_sys::Oid::from(database),
            pg_sys::InvalidOid,
            pg_sys::BGWORKER_BYPASS_ALLOWCONN,
        );
    }
    fix_settings(&SETTINGS);
}

/// Where a setting of the database or the server would get in the way.
const SETTINGS: [(&CStr, &CStr); 3] = [
    (c"application_name", c"codeverify writer"),
    // Others wait for what the writer holds while it waits.
    (c"lock_timeout", c"250ms"),
    // A standby that does not answer must not keep the server from stopping.
    (c"synchronous_commit", c"local"),
];

/// Sessions of a database, or of all (0), other than background processes.
pub fn count_sessions(database: u32) -> c_int {
    // SAFETY: looks at the server's list of processes.
    unsafe { pg_sys::CountDBConnections(pg_sys::Oid::from(database)) }
}
