//! Progress of long operations, in PostgreSQL's own view pg_stat_progress_copy, which codeverify.progress reads: to
//! the server an import is a COPY FROM a callback, and what reads the ledger a COPY TO one. Other processes that
//! work for the same query have rows of their own.

use std::cell::Cell;
use std::ffi::{c_int, CStr};

use pgrx::pg_sys;

use super::encryption::columns::Column;

/// What may take long. The view codeverify.progress tells it by the table.
#[derive(Clone, Copy, Debug)]
pub enum Operation {
    Import,
    Verify,
    Archive,
    Checkpoint,
    Maintain,
    Reencrypt(&'static Column),
    Pack,
}

impl Operation {
    fn table(self) -> (&'static CStr, &'static CStr) {
        match self {
            Operation::Import => (c"analysis", c"findings"),
            Operation::Verify => (c"audits", c"audit_log"),
            Operation::Archive => (c"audits", c"archives"),
            Operation::Checkpoint => (c"audits", c"checkpoints"),
            Operation::Maintain => (c"codeverify", c"maintenance_tasks"),
            Operation::Reencrypt(column) => (column.schema, column.table),
            Operation::Pack => (c"codeverify", c"packed_segments"),
        }
    }

    fn command(self) -> u32 {
        match self {
            Operation::Import | Operation::Reencrypt(_) => pg_sys::PROGRESS_COPY_COMMAND_FROM,
            Operation::Verify
            | Operation::Archive
            | Operation::Checkpoint
            | Operation::Maintain
            | Operation::Pack => pg_sys::PROGRESS_COPY_COMMAND_TO,
        }
    }
}

thread_local! {
    /// How much the operation under way has done; None when there is none.
    static DONE: Cell<Option<i64>> = const { Cell::new(None) };
}

/// An operation under way. Its row leaves the view when it is dropped; after an error the end of the
/// transaction takes it away.
pub struct Progress(());

impl Progress {
    /// Shows an operation with this much to do: bytes of an import's log, rows of anything else.
    pub fn start(operation: Operation, total: usize) -> Progress {
        begin(operation);
        show(pg_sys::PROGRESS_COPY_BYTES_TOTAL, count(total));
        Progress(())
    }

    /// Counts rows that have been stored or read.
    pub fn advance(&mut self, rows: usize) {
        advance(count(rows));
    }

    /// Counts rows from inside the operation's query. A parallel worker cannot write to its leader's row and shows
    /// its own.
    pub fn count_in_this_process(operation: Operation, rows: u64) {
        // SAFETY: set once when a process starts.
        if DONE.get().is_none() && unsafe { pg_sys::ParallelWorkerNumber } >= 0 {
            begin(operation);
        }
        if DONE.get().is_some() {
            advance(i64::try_from(rows).unwrap_or(i64::MAX));
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        DONE.set(None);
        // SAFETY: writes to this backend's own entry.
        unsafe { pg_sys::pgstat_progress_end_command() };
    }
}

fn begin(operation: Operation) {
    let (schema, table) = operation.table();
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
        i64::from(operation.command()),
    );
    show(
        pg_sys::PROGRESS_COPY_TYPE,
        i64::from(pg_sys::PROGRESS_COPY_TYPE_CALLBACK),
    );
    DONE.set(Some(0));
}

fn advance(rows: i64) {
    let done = DONE.get().unwrap_or(0).saturating_add(rows);
    DONE.set(Some(done));
    show(pg_sys::PROGRESS_COPY_TUPLES_PROCESSED, done);
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn show(parameter: u32, value: i64) {
    // SAFETY: the parameters are those of the command that begin() has named.
    unsafe { pg_sys::pgstat_progress_update_param(parameter as c_int, value) };
}
