//! Work that may fail without ending the transaction.

use pgrx::pg_sys;
use pgrx::pg_sys::panic::CaughtError;
use pgrx::PgSqlErrorCode;
use pgrx::PgTryBuilder;

/// Runs `work` in a subtransaction, as codeverify_owner or whoever it is called as. An error rolls back what it
/// did and is returned as its message; one that says that the work itself was stopped goes on.
pub fn attempt(work: impl FnOnce()) -> Result<(), String> {
    // SAFETY: as PL/pgSQL does for a block with EXCEPTION: the subtransaction is ended on both ways, and what
    // beginning and ending it change of this process's state is put back.
    unsafe {
        let context = pg_sys::CurrentMemoryContext;
        let owner = pg_sys::CurrentResourceOwner;
        pg_sys::BeginInternalSubTransaction(std::ptr::null());
        pg_sys::MemoryContextSwitchTo(context);
        let work = std::panic::AssertUnwindSafe(work);
        let result = PgTryBuilder::new(move || {
            let work = work;
            (work.0)();
            Ok(())
        })
        .catch_others(|error| {
            if is_interruption(&error) {
                error.rethrow();
            }
            Err(message(&error))
        })
        .execute();
        if result.is_ok() {
            pg_sys::ReleaseCurrentSubTransaction();
        } else {
            pg_sys::RollbackAndReleaseCurrentSubTransaction();
        }
        pg_sys::MemoryContextSwitchTo(context);
        pg_sys::CurrentResourceOwner = owner;
        result
    }
}

fn is_interruption(error: &CaughtError) -> bool {
    let code = match error {
        CaughtError::PostgresError(report)
        | CaughtError::ErrorReport(report)
        | CaughtError::RustPanic {
            ereport: report, ..
        } => report.sql_error_code(),
    };
    [
        PgSqlErrorCode::ERRCODE_QUERY_CANCELED,
        PgSqlErrorCode::ERRCODE_LOCK_NOT_AVAILABLE,
        PgSqlErrorCode::ERRCODE_ADMIN_SHUTDOWN,
        PgSqlErrorCode::ERRCODE_T_R_DEADLOCK_DETECTED,
    ]
    .contains(&code)
}

fn message(error: &CaughtError) -> String {
    match error {
        CaughtError::PostgresError(report)
        | CaughtError::ErrorReport(report)
        | CaughtError::RustPanic {
            ereport: report, ..
        } => report.message().to_owned(),
    }
}
