//! The worker's side: does one job and ends.

use std::ffi::c_int;

use pgrx::prelude::*;

use super::execution::execute;
use super::segment::{Segment, Stage};
use crate::codeverify::background::{as_owner_to_the_end, fix_settings, in_transaction};
use crate::codeverify::server::handle_signal;

/// Longest that a job may take, its commit included, in milliseconds.
const JOB_TIMEOUT: c_int = 5_000;

extern "C-unwind" {
    fn enable_timeout_after(id: c_int, delay_ms: c_int);
    fn disable_timeout(id: c_int, keep_indicator: bool);
    /// The server's handler of SIGTERM: pgrx's wrapper of it cannot be one.
    fn die(signal: c_int);
}

/// STATEMENT_TIMEOUT of the server's TimeoutId.
const STATEMENT_TIMEOUT: c_int = 3;

const SIGTERM: c_int = 15;

/// What the postmaster calls in the new process. An error ends the process and is in the server's log.
#[pg_guard]
#[no_mangle]
pub extern "C-unwind" fn codeverify_run_job(argument: pg_sys::Datum) {
    // The caller is gone, and nobody has seen the job begin.
    let Some(segment) = Segment::attach(argument.value() as pg_sys::dsm_handle) else {
        return;
    };
    segment.set_stage(Stage::Attached);
    wake(segment.caller());
    connect(segment.database());

    // SAFETY: the server has registered the timeout for every process with a database.
    unsafe { enable_timeout_after(STATEMENT_TIMEOUT, JOB_TIMEOUT) };
    let reply = reply_to(&segment.read());
    // SAFETY: as above.
    unsafe { disable_timeout(STATEMENT_TIMEOUT, false) };

    if segment.write(&reply) {
        segment.set_stage(Stage::Done);
        wake(segment.caller());
    }
}

fn connect(database: pg_sys::Oid) {
    // SAFETY: the handlers are the server's own for processes that run queries; after this, the process is
    // connected as the bootstrap superuser, or has ended.
    unsafe {
        handle_signal(SIGTERM, die);
        pg_sys::BackgroundWorkerUnblockSignals();
        pg_sys::BackgroundWorkerInitializeConnectionByOid(database, pg_sys::InvalidOid, 0);
        pg_sys::pgstat_report_activity(
            pg_sys::BackendState::STATE_RUNNING,
            c"codeverify: a transaction of its own".as_ptr(),
        );
    }
    // Its caller may be the one who holds the lock.
    fix_settings(&[(c"lock_timeout", c"500ms")]);
}

/// Does a job. An error in it ends the process, which aborts the transaction.
fn reply_to(job: &[u8]) -> Vec<u8> {
    let Ok(job) = serde_json::from_slice(job) else {
        // From another version of the library than this process has loaded: the caller finds no reply in this.
        return Vec::new();
    };
    let reply = in_transaction(|| as_owner_to_the_end(|| execute(job)));
    serde_json::to_vec(&reply).unwrap_or_default()
}

fn wake(process: c_int) {
    // SAFETY: a process that has ended meanwhile, or another in its place, is woken for nothing.
    unsafe {
        let backend = pg_sys::BackendPidGetProc(process);
        if !backend.is_null() {
            pg_sys::SetLatch(&raw mut (*backend).procLatch);
        }
    }
}
