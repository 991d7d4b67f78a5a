//! Catches errors.

use std::ffi::c_int;
use std::panic::AssertUnwindSafe;

use pgrx::pg_sys;
use pgrx::pg_sys::panic::{CaughtError, ErrorReportWithLevel};
use pgrx::{PgSqlErrorCode, PgTryBuilder};

use super::raise;

/// An error that was caught.
pub struct Caught {
    error: CaughtError,
    /// The code of class VC that it was raised with, unless the server has seen it by then.
    code: Option<c_int>,
}

/// Does `work`. An error leaves its (sub)transaction to the caller, to be ended.
pub fn catch<T>(work: impl FnOnce() -> T) -> Result<T, Box<Caught>> {
    // SAFETY: reads and, below, puts back the head of a list of this single-threaded process.
    let context = unsafe { pg_sys::error_context_stack };
    PgTryBuilder::new(AssertUnwindSafe(|| Ok(work())))
        .catch_others(|error| {
            // Else the next error, whatever it is, would get the context and the code of this one.
            // SAFETY: as above; what was added to the list since belongs to frames that the error has left.
            unsafe { pg_sys::error_context_stack = context };
            let code = raise::take_pending_code();
            Err(Box::new(Caught { error, code }))
        })
        .execute()
}

/// Does `work`, which has the server run functions of the extension. An error that one of them raises goes on with the
/// code that it was raised with: on its way through the server and back pgrx forgets all codes but PostgreSQL's own.
pub fn keeping_code<T>(work: impl FnOnce() -> T) -> T {
    catch(work).unwrap_or_else(|mut error| {
        if error.code.is_none() {
            error.code = raise::code_of_last(error.message());
        }
        error.rethrow()
    })
}

impl Caught {
    pub fn message(&self) -> &str {
        self.report().message()
    }

    /// Whether the work only met a lock that somebody else held for too long.
    pub fn is_busy(&self) -> bool {
        self.is_one_of(&[
            PgSqlErrorCode::ERRCODE_LOCK_NOT_AVAILABLE,
            PgSqlErrorCode::ERRCODE_T_R_DEADLOCK_DETECTED,
        ])
    }

    /// Whether the process was told to stop what it does.
    pub fn is_interruption(&self) -> bool {
        self.is_one_of(&[
            PgSqlErrorCode::ERRCODE_QUERY_CANCELED,
            PgSqlErrorCode::ERRCODE_ADMIN_SHUTDOWN,
        ])
    }

    fn is_one_of(&self, codes: &[PgSqlErrorCode]) -> bool {
        codes.contains(&self.report().sql_error_code())
    }

    fn report(&self) -> &ErrorReportWithLevel {
        match &self.error {
            CaughtError::PostgresError(report)
            | CaughtError::ErrorReport(report)
            | CaughtError::RustPanic {
                ereport: report, ..
            } => report,
        }
    }

    /// Lets the error go on, as it was.
    pub fn rethrow(self) -> ! {
        if let Some(code) = self.code {
            raise::set_code_of_next(code);
        }
        self.error.rethrow()
    }
}
