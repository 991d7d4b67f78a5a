//! Work in a subtransaction: that may fail without ending the transaction, or that is undone.

use pgrx::pg_sys;

use super::caught::{catch, Caught};
use super::query::run_script;

/// Why work was undone.
#[derive(Debug)]
pub enum Failure {
    /// Somebody else held a lock for too long: it may well succeed another time.
    Busy,
    /// An error, with its message.
    Failed(String),
}

/// Does `work`, as codeverify_owner or whoever it is called as. An error rolls back what it did and is returned;
/// one that says that the process itself is stopped goes on.
pub fn attempt(work: impl FnOnce()) -> Result<(), Failure> {
    enclose(true, work).map_err(|error| {
        if error.is_interruption() {
            error.rethrow();
        }
        if error.is_busy() {
            Failure::Busy
        } else {
            Failure::Failed(error.message().to_owned())
        }
    })
}

/// Does `work`. An error rolls back what it did and is returned, whatever it is.
pub fn try_to<T>(work: impl FnOnce() -> T) -> Result<T, Box<Caught>> {
    enclose(true, work)
}

/// Does `work`, and undoes what it wrote unless `keeps`. An error goes on.
pub fn keep_if<T>(keeps: bool, work: impl FnOnce() -> T) -> T {
    enclose(keeps, work).unwrap_or_else(|error| error.rethrow())
}

/// How long to let others pass before another attempt, in milliseconds.
const PAUSES: [u32; 5] = [50, 100, 200, 400, 800];

/// Does `work`, again after a while when somebody else held a lock for too long. The last failure goes on, as does
/// every other error.
pub fn patiently(work: impl Fn()) {
    for pause in PAUSES {
        match enclose(true, &work) {
            Ok(()) => return,
            Err(error) if error.is_busy() => {
                run_script(&format!("SELECT pg_catalog.pg_sleep({pause} / 1000.0)"));
            }
            Err(error) => error.rethrow(),
        }
    }
    work();
}

/// As PL/pgSQL does for a block with EXCEPTION: the subtransaction is ended on every way out, so that whoever
/// handles an error finds its own the innermost one again.
fn enclose<T>(keeps: bool, work: impl FnOnce() -> T) -> Result<T, Box<Caught>> {
    // SAFETY: the memory context and the resource owner are put back, since the subtransaction has its own.
    let (context, owner) = unsafe {
        let before = (pg_sys::CurrentMemoryContext, pg_sys::CurrentResourceOwner);
        pg_sys::BeginInternalSubTransaction(std::ptr::null());
        pg_sys::MemoryContextSwitchTo(before.0);
        before
    };
    let result = catch(work);
    // SAFETY: ends the subtransaction that was begun above, which is the innermost one: those that `work` begins
    // it ends.
    unsafe {
        if keeps && result.is_ok() {
            pg_sys::ReleaseCurrentSubTransaction();
        } else {
            pg_sys::RollbackAndReleaseCurrentSubTransaction();
        }
        pg_sys::MemoryContextSwitchTo(context);
        pg_sys::CurrentResourceOwner = owner;
    }
    result
}
