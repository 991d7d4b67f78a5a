//! The caller's side: starts the worker and waits for it.

use std::ffi::{c_char, c_long, CStr};
use std::ptr;
use std::time::{Duration, Instant};

use pgrx::pg_sys;

use super::segment::{Segment, Stage};
use super::Unavailable;
use crate::codeverify::interrupts::{check_for_interrupts, check_for_termination};

/// How long a caller waits for one of max_worker_processes to be free: some dozens of callers at once get their
/// turn.
const QUEUE_PATIENCE: Duration = Duration::from_secs(3);

/// How long it waits for the worker to begin: a busy machine takes its time to start a process, and an attempt that
/// cannot be counted is refused even with the right password.
const START_PATIENCE: Duration = Duration::from_secs(10);

/// How long it waits from then on for the end: longer than the worker's own limit.
const LONGEST: Duration = Duration::from_secs(10);

type Handle = *mut pg_sys::BackgroundWorkerHandle;

/// Has a worker do the job, and returns its reply.
pub fn run(job: &[u8]) -> Result<Vec<u8>, Unavailable> {
    check_state()?;
    let segment = Segment::create(job).ok_or(Unavailable::NoWorker)?;
    let result = register(&segment).and_then(|handle| wait_for_end(&segment, handle));
    let reply = result.map(|()| segment.read());
    segment.detach();
    reply
}

fn check_state() -> Result<(), Unavailable> {
    // SAFETY: looks at this process's own state, and at whether the server is in recovery.
    unsafe {
        if !pg_sys::IsUnderPostmaster {
            return Err(Unavailable::NoWorker);
        }
        if pg_sys::RecoveryInProgress() {
            return Err(Unavailable::Standby);
        }
        if pg_sys::ParallelWorkerNumber >= 0 {
            return Err(Unavailable::Parallel);
        }
    }
    Ok(())
}

/// Asks the postmaster for a worker, again and again while all are taken.
fn register(segment: &Segment) -> Result<Handle, Unavailable> {
    let mut worker = describe(segment);
    let deadline = Instant::now() + QUEUE_PATIENCE;
    loop {
        let mut handle: Handle = ptr::null_mut();
        // SAFETY: both are live locals; the server copies the description.
        if unsafe { pg_sys::RegisterDynamicBackgroundWorker(&mut worker, &mut handle) } {
            return Ok(handle);
        }
        if Instant::now() >= deadline {
            return Err(Unavailable::NoWorker);
        }
        // Sessions that were refused at the same time do not all come back at the same time.
        // SAFETY: set once when the backend starts.
        let jitter = unsafe { pg_sys::MyProcPid }.unsigned_abs() % 7;
        wait(Duration::from_millis(u64::from(5 + jitter)));
        check_for_termination();
    }
}

fn describe(segment: &Segment) -> pg_sys::BackgroundWorker {
    let mut worker = pg_sys::BackgroundWorker {
        bgw_flags: (pg_sys::BGWORKER_SHMEM_ACCESS | pg_sys::BGWORKER_BACKEND_DATABASE_CONNECTION)
            as i32,
        bgw_start_time: pg_sys::BgWorkerStartTime::BgWorkerStart_RecoveryFinished,
        bgw_restart_time: pg_sys::BGW_NEVER_RESTART,
        bgw_main_arg: pg_sys::Datum::from(segment.handle()),
        // SAFETY: set once when the backend starts.
        bgw_notify_pid: unsafe { pg_sys::MyProcPid },
        ..Default::default()
    };
    copy(c"codeverify transaction", &mut worker.bgw_name);
    copy(c"codeverify transaction", &mut worker.bgw_type);
    // The file that CREATE EXTENSION's functions come from.
    copy(c"$libdir/codeverify", &mut worker.bgw_library_name);
    copy(c"codeverify_run_job", &mut worker.bgw_function_name);
    worker
}

fn copy(text: &CStr, field: &mut [c_char]) {
    for (to, from) in field.iter_mut().zip(text.to_bytes_with_nul()) {
        *to = from.cast_signed() as c_char;
    }
}

fn wait_for_end(segment: &Segment, handle: Handle) -> Result<(), Unavailable> {
    let mut since = Instant::now();
    let mut has_begun = false;
    loop {
        // In this order: a worker that has stopped has left its reply before.
        let state = state(handle);
        let stage = segment.stage();
        if stage == Stage::Done {
            return Ok(());
        }
        if state == pg_sys::BgwHandleStatus::BGWH_STOPPED
            || state == pg_sys::BgwHandleStatus::BGWH_POSTMASTER_DIED
        {
            return Err(Unavailable::Failed);
        }
        let patience = if stage == Stage::Waiting {
            // Cancelling a statement would be a way to leave nothing behind and go on guessing; who ends the session
            // has to log in anew, and nobody stops the server for that.
            check_for_termination();
            START_PATIENCE
        } else {
            // From here on the job outlives its caller, who may be cancelled.
            check_for_interrupts();
            if !has_begun {
                has_begun = true;
                since = Instant::now();
            }
            LONGEST
        };
        let passed = since.elapsed();
        if passed >= patience {
            // So that it is not done much later, when something else has been done instead.
            // SAFETY: the handle is the server's, and alive in this transaction.
            unsafe { pg_sys::TerminateBackgroundWorker(handle) };
            return Err(Unavailable::Failed);
        }
        wait(patience - passed);
    }
}

fn state(handle: Handle) -> pg_sys::BgwHandleStatus::Type {
    let mut pid = 0;
    // SAFETY: the handle is the server's, and alive in this transaction.
    unsafe { pg_sys::GetBackgroundWorkerPid(handle, &mut pid) }
}

/// Until the latch is set, by the worker or the postmaster, or the time has passed.
fn wait(time: Duration) {
    let milliseconds = c_long::try_from(time.as_millis()).unwrap_or(c_long::MAX);
    // SAFETY: the process's own latch.
    unsafe {
        pg_sys::WaitLatch(
            pg_sys::MyLatch,
            (pg_sys::WL_LATCH_SET | pg_sys::WL_TIMEOUT | pg_sys::WL_EXIT_ON_PM_DEATH) as i32,
            milliseconds.max(1),
            pg_sys::PG_WAIT_EXTENSION,
        );
        pg_sys::ResetLatch(pg_sys::MyLatch);
    }
}
