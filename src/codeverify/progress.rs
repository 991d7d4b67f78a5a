//! Progress of a long import, in PostgreSQL's own view pg_stat_progress_copy: to the server the work
//! is a COPY FROM a callback.

use std::ffi::{c_int, CStr};

use pgrx::pg_sys;

/// An import under way. Its row leaves the view when it is dropped; after an error the end of the
/// transaction takes it away.
pub struct ImportProgress {
    stored: i64,
}

impl ImportProgress {
    /// Shows an import of `bytes` bytes into a table.
    pub fn start(schema: &CStr, table: &CStr, bytes: usize) -> ImportProgress {
        // SAFETY: catalog look-ups by 'static names and calls that write to this backend's own entry.
        unsafe {
            let relation = pg_sys::get_relname_relid(
                table.as_ptr(),
                pg_sys::get_namespace_oid(schema.as_ptr(), false),
            );
            pg_sys::pgstat_progress_start_command(
                pg_sys::ProgressCommandType::PROGRESS_COMMAND_COPY,
                relation,
            );
        }
        show(
            pg_sys::PROGRESS_COPY_COMMAND,
            i64::from(pg_sys::PROGRESS_COPY_COMMAND_FROM),
        );
        show(
            pg_sys::PROGRESS_COPY_TYPE,
            i64::from(pg_sys::PROGRESS_COPY_TYPE_CALLBACK),
        );
        show(pg_sys::PROGRESS_COPY_BYTES_TOTAL, count(bytes));
        ImportProgress { stored: 0 }
    }

    /// Counts rows that have been stored.
    pub fn advance(&mut self, rows: usize) {
        self.stored += count(rows);
        show(pg_sys::PROGRESS_COPY_TUPLES_PROCESSED, self.stored);
    }
}

impl Drop for ImportProgress {
    fn drop(&mut self) {
        // SAFETY: writes to this backend's own entry.
        unsafe { pg_sys::pgstat_progress_end_command() };
    }
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn show(parameter: u32, value: i64) {
    // SAFETY: the parameters are those of the command that start() has named.
    unsafe { pg_sys::pgstat_progress_update_param(parameter as c_int, value) };
}
