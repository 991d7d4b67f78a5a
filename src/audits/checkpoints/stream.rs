//! Glue: queries with many rows, which are read one by one and see what the caller's statement sees. pgrx's
//! own keep all rows that a function has fetched in memory, and take a new snapshot for each query once the
//! transaction has written.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::{c_int, CStr, CString};
use std::ops::ControlFlow;

use pgrx::pg_sys::{self, Datum};
use pgrx::varlena::{vardata_any, varsize_any_exhdr};
use pgrx::{PgMemoryContexts, Spi};
use uuid::Uuid;

use crate::audits::encoding::{parse_hash, unix_micros, Hash};
use crate::codeverify::interrupts::check_for_interrupts;
use crate::codeverify::owner::set_for_now;

/// Rows that are fetched at a time.
const BATCH: i64 = 500;

/// Each row is looked for by an index: plans are kept, and what they were made for grows.
const OFF: [&CStr; 3] = [c"enable_seqscan", c"enable_bitmapscan", c"jit"];

thread_local! {
    static PLANS: RefCell<HashMap<&'static str, pg_sys::SPIPlanPtr>> = RefCell::default();
}

/// An argument of a query.
#[derive(Clone, Copy)]
pub enum Argument {
    Uuid(Option<Uuid>),
    Int4(i32),
    Int8(i64),
    /// As PostgreSQL has it.
    Time(i64),
}

/// A row, while it is read.
pub struct Row {
    tuple: pg_sys::HeapTuple,
    descriptor: pg_sys::TupleDesc,
}

// SAFETY of all: a row is of a query of ours, which has a column of that type at that place; what is borrowed
// lives as long as the row.
impl Row {
    fn datum(&self, column: i32) -> Option<Datum> {
        let mut is_null = false;
        let datum =
            unsafe { pg_sys::SPI_getbinval(self.tuple, self.descriptor, column, &mut is_null) };
        (!is_null).then_some(datum)
    }

    pub fn int4(&self, column: i32) -> i32 {
        self.datum(column).map_or(0, |datum| datum.value() as i32)
    }

    pub fn int8(&self, column: i32) -> i64 {
        self.datum(column).map_or(0, |datum| datum.value() as i64)
    }

    /// Microseconds since 1970.
    pub fn time(&self, column: i32) -> i64 {
        unix_micros(self.int8(column))
    }

    pub fn uuid(&self, column: i32) -> Option<Uuid> {
        self.datum(column)
            .map(|datum| Uuid::from_bytes(unsafe { *datum.cast_mut_ptr::<[u8; 16]>() }))
    }

    /// The content of a bytea, text or jsonb.
    pub fn bytes(&self, column: i32) -> Option<&[u8]> {
        self.datum(column).map(|datum| unsafe {
            let value = pg_sys::pg_detoast_datum_packed(datum.cast_mut_ptr());
            std::slice::from_raw_parts(vardata_any(value).cast(), varsize_any_exhdr(value))
        })
    }

    pub fn text(&self, column: i32) -> Option<&str> {
        self.bytes(column)
            .and_then(|bytes| std::str::from_utf8(bytes).ok())
    }

    /// A hash from its hexadecimal digits.
    pub fn hash(&self, column: i32) -> Option<Hash> {
        self.bytes(column).and_then(parse_hash)
    }
}

/// Runs a query in the active snapshot and hands over its rows, until there are none or `read` breaks.
/// What `read` takes from PostgreSQL's memory is freed after each row.
pub fn for_each<B>(
    sql: &'static str,
    arguments: &[Argument],
    mut read: impl FnMut(&Row) -> ControlFlow<B>,
) -> Option<B> {
    Spi::connect(|_| {
        let portal = open(sql, arguments);
        let mut memory = PgMemoryContexts::new("codeverify rows");
        let result = loop {
            check_for_interrupts();
            // SAFETY: the portal is open, as nothing else knows of it; the rows live until they are freed here.
            let (table, rows) = unsafe {
                pg_sys::SPI_cursor_fetch(portal, true, BATCH as _);
                let table = pg_sys::SPI_tuptable;
                let rows = std::slice::from_raw_parts((*table).vals, (*table).numvals as usize);
                (table, rows)
            };
            let is_over = rows.is_empty();
            let broken = rows.iter().find_map(|tuple| {
                // SAFETY: as above; nothing of the row's memory is kept.
                unsafe {
                    let row = Row {
                        tuple: *tuple,
                        descriptor: (*table).tupdesc,
                    };
                    let flow = memory.switch_to(|_| read(&row));
                    memory.reset();
                    flow.break_value()
                }
            });
            // SAFETY: not used again.
            unsafe { pg_sys::SPI_freetuptable(table) };
            if is_over || broken.is_some() {
                break broken;
            }
        };
        // SAFETY: opened above.
        unsafe { pg_sys::SPI_cursor_close(portal) };
        result
    })
}

/// The first row of a query in the active snapshot, as `read` takes it.
pub fn first<T>(sql: &'static str, arguments: &[Argument], read: impl Fn(&Row) -> T) -> Option<T> {
    for_each(sql, arguments, |row| ControlFlow::Break(read(row)))
}

fn open(sql: &'static str, arguments: &[Argument]) -> pg_sys::Portal {
    let mut values: Vec<Datum> = Vec::with_capacity(arguments.len());
    let mut nulls: Vec<std::ffi::c_char> = Vec::with_capacity(arguments.len());
    for argument in arguments {
        let (value, is_null) = match argument {
            Argument::Uuid(Some(id)) => (Datum::from(id.as_bytes().as_ptr()), false),
            Argument::Uuid(None) => (Datum::null(), true),
            Argument::Int4(number) => (Datum::from(*number), false),
            Argument::Int8(number) | Argument::Time(number) => (Datum::from(*number), false),
        };
        values.push(value);
        nulls.push(if is_null { b'n' } else { b' ' } as std::ffi::c_char);
    }
    // SAFETY: connected to SPI; the portal copies the arguments. After an error the transaction's end puts the
    // settings back.
    unsafe {
        let level = pg_sys::NewGUCNestLevel();
        for setting in OFF {
            set_for_now(setting, c"off");
        }
        let plan = kept_plan(sql, arguments);
        let portal = pg_sys::SPI_cursor_open(
            std::ptr::null(),
            plan,
            values.as_mut_ptr(),
            nulls.as_ptr(),
            true,
        );
        pg_sys::AtEOXact_GUC(true, level);
        portal
    }
}

fn kept_plan(sql: &'static str, arguments: &[Argument]) -> pg_sys::SPIPlanPtr {
    if let Some(plan) = PLANS.with_borrow(|plans| plans.get(sql).copied()) {
        return plan;
    }
    let text = CString::new(sql).unwrap_or_default();
    let mut types: Vec<pg_sys::Oid> = arguments
        .iter()
        .map(|argument| match argument {
            Argument::Uuid(_) => pg_sys::UUIDOID,
            Argument::Int4(_) => pg_sys::INT4OID,
            Argument::Int8(_) => pg_sys::INT8OID,
            Argument::Time(_) => pg_sys::TIMESTAMPTZOID,
        })
        .collect();
    // SAFETY: connected to SPI; a query that is not understood is an error, so there is a plan to keep.
    let plan = unsafe {
        let plan = pg_sys::SPI_prepare(text.as_ptr(), types.len() as c_int, types.as_mut_ptr());
        pg_sys::SPI_keepplan(plan);
        plan
    };
    PLANS.with_borrow_mut(|plans| plans.insert(sql, plan));
    plan
}

/// Runs `work` with a snapshot of its own: all that [`for_each`] reads in it is of one moment.
pub fn in_one_snapshot<T>(work: impl FnOnce() -> T) -> T {
    // SAFETY: pushes a snapshot and takes it away again; after an error the transaction's end does.
    unsafe {
        // What this transaction has done so far is to be seen.
        pg_sys::CommandCounterIncrement();
        pg_sys::PushActiveSnapshot(pg_sys::GetTransactionSnapshot());
    }
    let result = work();
    // SAFETY: as above.
    unsafe { pg_sys::PopActiveSnapshot() };
    result
}

/// Runs `work` so that it sees what is committed now, also where the transaction's snapshot is older.
pub fn in_latest_snapshot<T>(work: impl FnOnce() -> T) -> T {
    // SAFETY: as above.
    unsafe { pg_sys::PushActiveSnapshot(pg_sys::GetLatestSnapshot()) };
    let result = work();
    // SAFETY: as above.
    unsafe { pg_sys::PopActiveSnapshot() };
    result
}
