//! Work in a subtransaction: that may fail without ending the transaction, or that is undone.

use std::panic::AssertUnwindSafe;

use pgrx::pg_sys;
use pgrx::pg_sys::panic::CaughtError;
use pgrx::PgSqlErrorCode;
use pgrx::PgTryBuilder;

/// Does `work`, as codeverify_owner or whoever it is called as. An error rolls back what it did and is returned
/// as its message; one that says that the work itself was stopped goes on.
pub fn attempt(work: impl FnOnce()) -> Result<(), String> {
    enclose(true, work).map_err(|error| {
        if is_interruption(&error) {
            error.rethrow();
        }
        message(&error)
    })
}

/// Does `work`, and undoes what it wrote unless `keeps`. An error goes on.
pub fn keep_if<T>(keeps: bool, work: impl FnOnce() -> T) -> T {
    enclose(keeps, work).unwrap_or_else(|error| error.rethrow())
}

/// As PL/pgSQL does for a block with EXCEPTION: the subtransaction is ended on every way out, so that whoever
/// handles an error finds its own the innermost one again.
fn enclose<T>(keeps: bool, work: impl FnOnce() -> T) -> Result<T, Box<CaughtError>> {
    // SAFETY: the memory context and the resource owner are put back, since the subtransaction has its own.
    let (context, owner) = unsafe {
        let before = (pg_sys::CurrentMemoryContext, pg_sys::CurrentResourceOwner);
        pg_sys::BeginInternalSubTransaction(std::ptr::null());
        pg_sys::MemoryContextSwitchTo(before.0);
        before
    };
    let result = PgTryBuilder::new(AssertUnwindSafe(|| Ok(work())))
        .catch_others(|error| Err(Box::new(error)))
        .execute();
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

fn is_interruption(error: &CaughtError) -> bool {
    [
        PgSqlErrorCode::ERRCODE_QUERY_CANCELED,
        PgSqlErrorCode::ERRCODE_LOCK_NOT_AVAILABLE,
        PgSqlErrorCode::ERRCODE_ADMIN_SHUTDOWN,
        PgSqlErrorCode::ERRCODE_T_R_DEADLOCK_DETECTED,
    ]
    .contains(&report(error).sql_error_code())
}

fn message(error: &CaughtError) -> String {
    report(error).message().to_owned()
}

fn report(error: &CaughtError) -> &pg_sys::panic::ErrorReportWithLevel {
    match error {
        CaughtError::PostgresError(report)
        | CaughtError::ErrorReport(report)
        | CaughtError::RustPanic {
            ereport: report, ..
        } => report,
    }
}
