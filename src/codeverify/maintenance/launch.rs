//! The caller's side of a run in a background worker.

use std::ptr;
use std::time::{Duration, Instant};

use pgrx::pg_sys;

use super::queue::{Message, Receiver, Request};
use super::report::Row;
use crate::codeverify::interrupts::check_for_interrupts;
use crate::codeverify::worker::process::{describe, sleep_here};

/// How long to wait for one of max_worker_processes to be free.
const PATIENCE: Duration = Duration::from_secs(1);

/// Why there are no rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// No worker could be started: nothing was done.
    NoWorker,
    /// The worker ended before it was done.
    Ended,
}

/// Has a worker run, and waits for its rows for as long as it takes. When the caller is cancelled, so is the worker.
pub fn run(request: &Request) -> Result<Vec<Row>, Trouble> {
    let receiver = Receiver::create(request).ok_or(Trouble::NoWorker)?;
    let Some(worker) = start(&receiver) else {
        receiver.detach(ptr::null_mut());
        return Err(Trouble::NoWorker);
    };
    // SAFETY: start() keeps it until the transaction ends.
    unsafe { receiver.expect(worker) };
    let mut rows = Vec::new();
    let result = loop {
        match receiver.receive() {
            Some(Message::Row(row)) => rows.push(row),
            Some(Message::Done) => break Ok(rows),
            None => break Err(Trouble::Ended),
        }
    };
    receiver.detach(worker);
    result
}

/// Asks the postmaster for a worker, again and again while all are taken.
fn start(receiver: &Receiver) -> Option<*mut pg_sys::BackgroundWorkerHandle> {
    let mut worker = describe(
        c"codeverify maintenance",
        c"codeverify_run_maintenance",
        pg_sys::BGW_NEVER_RESTART,
    );
    worker.bgw_main_arg = pg_sys::Datum::from(receiver.handle());
    // SAFETY: set once when the backend starts.
    worker.bgw_notify_pid = unsafe { pg_sys::MyProcPid };
    let deadline = Instant::now() + PATIENCE;
    loop {
        let mut handle = ptr::null_mut();
        // SAFETY: both are live locals; the server copies the description, and the handle lives as long as the
        // transaction, in which an error may find it.
        let started = unsafe {
            let before = pg_sys::MemoryContextSwitchTo(pg_sys::TopTransactionContext);
            let started = pg_sys::RegisterDynamicBackgroundWorker(&mut worker, &mut handle);
            pg_sys::MemoryContextSwitchTo(before);
            started
        };
        if started {
            return Some(handle);
        }
        if Instant::now() >= deadline {
            return None;
        }
        sleep_here(Duration::from_millis(10));
        check_for_interrupts();
    }
}
