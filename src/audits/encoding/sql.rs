//! Functions of schema audits; their comments and grants are in sql/audits/encoding.sql.

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::{PgLogLevel, PgSqlErrorCode};

use super::Malformed;

/// `Ok`'s value, or the end of the function with PostgreSQL's own SQLSTATE for what is wrong.
pub fn or_raise<T>(result: Result<T, Malformed>) -> T {
    let malformed = match result {
        Ok(value) => return value,
        Err(malformed) => malformed,
    };
    let (code, hint) = match malformed {
        Malformed::Corrupt(_) => (
            PgSqlErrorCode::ERRCODE_DATA_CORRUPTED,
            "Restore the value from a backup, and look for damage to the disk or changes below SQL.",
        ),
        Malformed::TooLarge => (
            PgSqlErrorCode::ERRCODE_PROGRAM_LIMIT_EXCEEDED,
            "Keep large documents elsewhere and their hash in the payload.",
        ),
    };
    ErrorReport::new(code, malformed.to_string(), "codeverify")
        .set_hint(hint)
        .report(PgLogLevel::ERROR);
    unreachable!("an ERROR report does not return")
}
