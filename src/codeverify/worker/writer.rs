//! The writer: flushes one database for as long as there is something to flush.

use std::time::{Duration, Instant};

use pgrx::prelude::*;

use super::process::{connect, count_sessions, handle_signals, is_stopping, sleep};
use super::step::{Round, STEPS};
use super::{LONGEST_STAY, RETRY};
use crate::codeverify::background::{as_owner_to_the_end, in_transaction};
use crate::codeverify::caught::catch;
use crate::codeverify::owner::OWNER_ROLE;
use crate::codeverify::settings;
use crate::codeverify::shared_memory::databases::{self, Database};
use crate::codeverify::shared_memory::forget;
use crate::codeverify::time::stored_now as now;

/// How long a writer that is told to stop waits for the sessions of its database, which are told so too.
const LAST_WAIT: Duration = Duration::from_secs(5);

/// What the postmaster calls in a writer's process; the argument is the oid of a database.
#[pg_guard]
#[no_mangle]
pub extern "C-unwind" fn codeverify_write_behind(argument: pg_sys::Datum) {
    handle_signals();
    write_behind(argument.value() as u32);
}

/// Connects to the database and stays for as long as there is something to do.
pub fn write_behind(database: u32) {
    let Some(entry) = databases::find(database) else {
        return;
    };
    connect(database);
    let mut stop_before = None;
    loop {
        let stopping = is_stopping();
        // Before anything is read: what changes from here on is for the next round.
        entry.begin_flush();
        match flush(database, stopping) {
            Flush::Done { later } => {
                entry.note_success(now(), now() + settings::flush_interval());
                entry.set_later(later);
            }
            Flush::Failed => entry.note_failure(now()),
            Flush::NothingThere => {
                forget(database);
                return;
            }
        }
        if stopping {
            let deadline = *stop_before.get_or_insert_with(|| Instant::now() + LAST_WAIT);
            let is_complete = count_sessions(database) == 0 && !entry.is_changed();
            if is_complete || Instant::now() > deadline {
                return;
            }
            sleep(Some(20_000));
        } else if !stays(entry) {
            return;
        }
    }
}

/// Waits for changes; whether there are any to flush by this process.
fn stays(entry: &Database) -> bool {
    // The launcher sees to the next attempt, or to a time that is further off.
    if entry.failures() > 0 || settings::flush_interval() > LONGEST_STAY {
        return false;
    }
    while !is_stopping() {
        let now = now();
        let rest = entry.not_before(now) - now;
        if rest <= 0 {
            break;
        }
        if databases::is_writer_wanted() {
            return false;
        }
        sleep(Some(rest));
    }
    is_stopping() || entry.is_changed()
}

enum Flush {
    Done {
        /// When there will be something to write though nothing may have changed.
        later: Option<i64>,
    },
    Failed,
    /// The extension is not installed in the database, or its tables are not.
    NothingThere,
}

fn flush(database: u32, is_last: bool) -> Flush {
    match commit_or_log("anything", is_deployed) {
        Ok(true) => {}
        Ok(false) => return Flush::NothingThere,
        Err(_) => return Flush::Failed,
    }
    let mut round = Round::new(database, now(), is_last);
    let mut failed = false;
    for (name, step) in STEPS {
        loop {
            let work = || as_owner_to_the_end(|| is_deployed().then(|| step(&mut round)).flatten());
            match commit_or_log(name, work) {
                Ok(Some(batch)) => {
                    (batch.settle)();
                    if !batch.more {
                        break;
                    }
                }
                Ok(None) => break,
                // Others must not have their steps put off for long because of it.
                Err(Trouble::Busy) => {
                    round.again_at(round.now + RETRY);
                    break;
                }
                Err(Trouble::Failed) => {
                    failed = true;
                    break;
                }
            }
        }
    }
    // SAFETY: outside a transaction, as it must be. Autovacuum goes by these counts.
    unsafe { pg_sys::pgstat_report_stat(true) };
    if failed {
        Flush::Failed
    } else {
        Flush::Done {
            later: round.later(),
        }
    }
}

/// Looked up without a query, which there may be no owner to run as.
fn is_deployed() -> bool {
    // SAFETY: catalog look-ups in a transaction, with 'static strings; what is missing gives InvalidOid.
    unsafe {
        let schema = pg_sys::get_namespace_oid(c"auth".as_ptr(), true);
        [
            pg_sys::get_role_oid(OWNER_ROLE.as_ptr(), true),
            pg_sys::get_extension_oid(c"codeverify".as_ptr(), true),
            pg_sys::get_relname_relid(c"api_key_rate_buckets".as_ptr(), schema),
        ]
        .iter()
        .all(|oid| *oid != pg_sys::InvalidOid)
    }
}

/// Why a transaction was rolled back.
enum Trouble {
    /// Somebody held a lock for too long.
    Busy,
    Failed,
}

/// Does something in a transaction and commits it. An error goes to the server's log.
fn commit_or_log<T>(subject: &str, work: impl FnOnce() -> T) -> Result<T, Trouble> {
    // SAFETY: says what the process is at, here and below.
    unsafe {
        pg_sys::pgstat_report_activity(
            pg_sys::BackendState::STATE_RUNNING,
            c"codeverify: writing behind".as_ptr(),
        );
    }
    let result = catch(|| in_transaction(work)).map_err(|error| {
        // SAFETY: the transaction that was begun for `work`, or what the error has left of it.
        unsafe { pg_sys::AbortCurrentTransaction() };
        let problem = error.message();
        log!("codeverify could not write {subject} behind, and will try again: {problem}");
        if error.is_busy() {
            Trouble::Busy
        } else {
            Trouble::Failed
        }
    });
    // SAFETY: as above.
    unsafe { pg_sys::pgstat_report_activity(pg_sys::BackendState::STATE_IDLE, std::ptr::null()) };
    result
}
