//! Glue: queries that all see the ledger as the caller's statement does, and whose results may be large. pgrx's own take
//! a new snapshot for each query once the transaction has written, and keep all rows in memory.

use std::collections::HashMap;
use std::ffi::{c_int, CStr, CString};

use pgrx::pg_sys::{self, Datum};
use pgrx::{IntoDatum, PgMemoryContexts, Spi};
use uuid::Uuid;

use super::row::{read_bytes, read_hash, read_uuid};
use crate::audits::chain::held::{Head, Ledger};
use crate::audits::chain::ledger::audit_log;
use crate::audits::encoding::{unix_micros, Hash};
use crate::codeverify::interrupts::check_for_interrupts;
use crate::codeverify::owner::{as_owner, set_for_now};
use crate::tenancy::sql::to_datum;

/// Rows that are fetched at a time.
const BATCH: i64 = 500;

extern "C-unwind" {
    // Declared in executor/tstoreReceiver.h, which pgrx does not bind.
    fn SetTuplestoreDestReceiverParams(
        receiver: *mut pg_sys::DestReceiver,
        store: *mut pg_sys::Tuplestorestate,
        context: pg_sys::MemoryContext,
        detoast: bool,
        target: pg_sys::TupleDesc,
        map_failure_message: *const std::ffi::c_char,
    );
}

/// An argument of a query.
#[derive(Clone, Copy, Debug)]
pub enum Value {
    Uuid(Option<Uuid>),
    Int4(i32),
    Int8(i64),
    /// Microseconds since 1970; None for NULL.
    Time(Option<i64>),
}

impl Value {
    fn type_oid(self) -> pg_sys::Oid {
        match self {
            Value::Uuid(_) => pg_sys::UUIDOID,
            Value::Int4(_) => pg_sys::INT4OID,
            Value::Int8(_) => pg_sys::INT8OID,
            Value::Time(_) => pg_sys::TIMESTAMPTZOID,
        }
    }

    fn datum(self) -> Option<Datum> {
        match self {
            Value::Uuid(value) => value.and_then(|value| to_datum(value).into_datum()),
            Value::Int4(value) => Some(Datum::from(value)),
            Value::Int8(value) => Some(Datum::from(value)),
            // Back to PostgreSQL's epoch.
            Value::Time(value) => {
                value.map(|value| Datum::from(value.wrapping_sub(unix_micros(0))))
            }
        }
    }
}

/// A row of a result.
pub struct Record<'a> {
    values: &'a [Datum],
    nulls: &'a [bool],
}

impl Record<'_> {
    pub fn get(&self, place: usize) -> Option<Datum> {
        let is_null = *self.nulls.get(place)?;
        (!is_null).then(|| self.values[place])
    }

    pub fn int4(&self, place: usize) -> Option<i32> {
        self.get(place).map(|datum| datum.value() as i32)
    }

    pub fn int8(&self, place: usize) -> Option<i64> {
        self.get(place).map(|datum| datum.value() as i64)
    }

    /// Microseconds since 1970.
    pub fn time(&self, place: usize) -> Option<i64> {
        self.int8(place).map(unix_micros)
    }

    pub fn boolean(&self, place: usize) -> Option<bool> {
        self.get(place).map(|datum| datum.value() & 0xFF != 0)
    }

    // SAFETY of these: the queries are ours and give what is read at each place.
    pub fn uuid(&self, place: usize) -> Option<Uuid> {
        self.get(place).map(|datum| unsafe { read_uuid(datum) })
    }

    pub fn hash(&self, place: usize) -> Option<Hash> {
        self.get(place)
            .and_then(|datum| unsafe { read_hash(datum) })
    }

    pub fn bytes(&self, place: usize) -> Option<&[u8]> {
        self.get(place).map(|datum| unsafe { read_bytes(datum) })
    }

    pub fn text(&self, place: usize) -> Option<&str> {
        self.bytes(place)
            .and_then(|bytes| std::str::from_utf8(bytes).ok())
    }

    /// Three columns as an entry of a lane: seq, signature, ts.
    pub fn head(&self, place: usize) -> Option<Head> {
        Some(Head {
            seq: self.int8(place)?,
            signature: self.hash(place + 1)?,
            ts: self.time(place + 2)?,
        })
    }
}

/// Reads as codeverify_owner, in the snapshot of the caller's statement.
pub struct Reader {
    plans: HashMap<String, pg_sys::SPIPlanPtr>,
}

impl Reader {
    pub fn open<T>(work: impl FnOnce(&mut Reader) -> T) -> T {
        // First the lock, which waits for an archive that is leaving, and then the snapshot, which sees it gone:
        // the other way round its entries would be missing from both.
        // SAFETY: waits like any reader of the table; the snapshot that is pushed is popped below, or by the end of
        // the transaction where an error comes in between.
        let is_fresh = unsafe {
            pg_sys::LockRelationOid(audit_log(), pg_sys::AccessShareLock as pg_sys::LOCKMODE);
            let is_fresh = pg_sys::XactIsoLevel <= pg_sys::XACT_READ_COMMITTED as c_int;
            if is_fresh {
                pg_sys::PushActiveSnapshot(pg_sys::GetLatestSnapshot());
            }
            is_fresh
        };
        let result = as_owner(|| {
            Spi::connect(|_| {
                work(&mut Reader {
                    plans: HashMap::new(),
                })
            })
        });
        if is_fresh {
            // SAFETY: pushed above.
            unsafe { pg_sys::PopActiveSnapshot() };
        }
        result
    }

    /// Runs a query of many rows, each of which is read once and in the order in which it is stored, in parallel where
    /// PostgreSQL will, and keeps its result, on disk when that is large.
    pub fn spool(&mut self, sql: &str, values: &[Value]) -> Spool {
        // Sorting all entries, or fetching them one by one by an index, would take far longer.
        with_settings(&[c"enable_sort", c"enable_indexscan"], || {
            self.spool_as_planned(sql, values)
        })
    }

    /// Runs a query that looks for what it needs by indexes, and keeps its result, on disk when that is large.
    pub fn spool_by_index(&mut self, sql: &str, values: &[Value]) -> Spool {
        with_settings(BY_INDEX, || self.spool_as_planned(sql, values))
    }

    fn plan(&mut self, sql: &str, values: &[Value], options: u32) -> pg_sys::SPIPlanPtr {
        if let Some(plan) = self.plans.get(sql) {
            return *plan;
        }
        let text = CString::new(sql).unwrap_or_default();
        let mut types: Vec<pg_sys::Oid> = values.iter().map(|value| value.type_oid()).collect();
        // SAFETY: connected to SPI; the plan lives until that is finished, as long as the reader does.
        let plan = unsafe {
            pg_sys::SPI_prepare_cursor(
                text.as_ptr(),
                types.len() as c_int,
                types.as_mut_ptr(),
                options as c_int,
            )
        };
        if plan.is_null() {
            // SAFETY: reads a result code that SPI has just set.
            fail(unsafe { pg_sys::SPI_result });
        }
        self.plans.insert(sql.to_owned(), plan);
        plan
    }

    fn spool_as_planned(&mut self, sql: &str, values: &[Value]) -> Spool {
        let plan = self.plan(sql, values, pg_sys::CURSOR_OPT_PARALLEL_OK);
        // SAFETY: connected to SPI. Store and receiver are made in the context of the function that verifies
        // and live until the spool is dropped; while an error unwinds the transaction's end takes them.
        unsafe {
            let store = pg_sys::tuplestore_begin_heap(false, false, pg_sys::work_mem);
            let receiver = pg_sys::CreateDestReceiver(pg_sys::CommandDest::DestTuplestore);
            SetTuplestoreDestReceiverParams(
                receiver,
                store,
                pg_sys::CurrentMemoryContext,
                false,
                std::ptr::null_mut(),
                std::ptr::null(),
            );
            let options = pg_sys::SPIExecuteOptions {
                params: parameters(values),
                read_only: true,
                dest: receiver,
                ..Default::default()
            };
            let code = pg_sys::SPI_execute_plan_extended(plan, &options);
            if code != pg_sys::SPI_OK_SELECT as c_int {
                fail(code);
            }
            Spool {
                store,
                slot: pg_sys::MakeSingleTupleTableSlot(
                    describe(plan),
                    &raw const pg_sys::TTSOpsMinimalTuple,
                ),
            }
        }
    }

    /// The first row of a query, if there is one.
    pub fn first<T>(
        &mut self,
        sql: &str,
        values: &[Value],
        read: impl FnOnce(Record) -> T,
    ) -> Option<T> {
        let plan = self.plan(sql, values, 0);
        // SAFETY: connected to SPI; the row is read before its table is freed.
        unsafe {
            let options = pg_sys::SPIExecuteOptions {
                params: parameters(values),
                read_only: true,
                tcount: 1,
                ..Default::default()
            };
            let code = with_settings(BY_INDEX, || {
                pg_sys::SPI_execute_plan_extended(plan, &options)
            });
            if code != pg_sys::SPI_OK_SELECT as c_int {
                fail(code);
            }
            let table = pg_sys::SPI_tuptable;
            let result = ((*table).numvals > 0).then(|| with_tuple(table, 0, read));
            pg_sys::SPI_freetuptable(table);
            result
        }
    }

    /// Runs a query and hands each of its rows over, with memory that is freed after it; false ends it.
    pub fn each(&mut self, sql: &str, values: &[Value], mut read: impl FnMut(Record) -> bool) {
        let plan = self.plan(sql, values, 0);
        // SAFETY: connected to SPI; the portal is closed below, or by the transaction's end after an error.
        let portal = with_settings(BY_INDEX, || unsafe {
            pg_sys::SPI_cursor_open_with_paramlist(std::ptr::null(), plan, parameters(values), true)
        });
        let mut memory = PgMemoryContexts::new("codeverify verification");
        let mut goes_on = true;
        while goes_on {
            check_for_interrupts();
            // SAFETY: the portal is open; each batch is read before it is freed.
            unsafe {
                pg_sys::SPI_cursor_fetch(portal, true, BATCH as _);
                let table = pg_sys::SPI_tuptable;
                let count = (*table).numvals as usize;
                goes_on = count > 0;
                for place in 0..count {
                    goes_on = memory.switch_to(|_| with_tuple(table, place, &mut read));
                    memory.reset();
                    if !goes_on {
                        break;
                    }
                }
                pg_sys::SPI_freetuptable(table);
            }
        }
        // SAFETY: opened above.
        unsafe { pg_sys::SPI_cursor_close(portal) };
    }
}

/// What is off for queries of few rows, or of rows in the order of an index, whatever the statistics say.
const BY_INDEX: &[&CStr] = &[c"enable_seqscan", c"enable_bitmapscan", c"enable_sort"];

/// Plans and starts a query with these ways of running it turned off. The time to compile expressions never pays.
fn with_settings<T>(off: &[&'static CStr], work: impl FnOnce() -> T) -> T {
    // SAFETY: opens a level for settings and closes it; after an error the transaction's end does.
    unsafe {
        let level = pg_sys::NewGUCNestLevel();
        for setting in off {
            set_for_now(setting, c"off");
        }
        set_for_now(c"jit", c"off");
        let result = work();
        pg_sys::AtEOXact_GUC(true, level);
        result
    }
}

/// # Safety
/// The table holds more than `place` rows.
unsafe fn with_tuple<T>(
    table: *mut pg_sys::SPITupleTable,
    place: usize,
    read: impl FnOnce(Record) -> T,
) -> T {
    // SAFETY: as promised by the caller; the arrays have an element for each column.
    unsafe {
        let descriptor = (*table).tupdesc;
        let width = (*descriptor).natts as usize;
        let mut values = vec![Datum::null(); width];
        let mut nulls = vec![true; width];
        let tuple = *(*table).vals.add(place);
        pg_sys::heap_deform_tuple(tuple, descriptor, values.as_mut_ptr(), nulls.as_mut_ptr());
        read(Record {
            values: &values,
            nulls: &nulls,
        })
    }
}

/// # Safety
/// The plan is one statement that returns rows.
unsafe fn describe(plan: pg_sys::SPIPlanPtr) -> pg_sys::TupleDesc {
    // SAFETY: as promised by the caller: its list of sources has one element, whose description outlives the
    // spool as part of the plan.
    unsafe {
        let sources = pg_sys::SPI_plan_get_plan_sources(plan);
        let source = (*(*sources).elements)
            .ptr_value
            .cast::<pg_sys::CachedPlanSource>();
        pg_sys::CreateTupleDescCopy((*source).resultDesc)
    }
}

/// # Safety
/// To be called in memory that outlives the query.
unsafe fn parameters(values: &[Value]) -> pg_sys::ParamListInfo {
    // SAFETY: the list has room for as many parameters as it is made for.
    unsafe {
        let list = pg_sys::makeParamList(values.len() as c_int);
        let parameters = (*list).params.as_mut_slice(values.len());
        for (parameter, value) in parameters.iter_mut().zip(values) {
            let datum = value.datum();
            parameter.value = datum.unwrap_or(Datum::null());
            parameter.isnull = datum.is_none();
            parameter.pflags = pg_sys::PARAM_FLAG_CONST as u16;
            parameter.ptype = value.type_oid();
        }
        list
    }
}

fn fail(code: c_int) -> ! {
    // SAFETY: SPI gives a static string for any code.
    let name = unsafe { std::ffi::CStr::from_ptr(pg_sys::SPI_result_code_string(code)) };
    pgrx::error!("the ledger cannot be read: {}", name.to_string_lossy());
}

/// Rows that wait to be read.
pub struct Spool {
    store: *mut pg_sys::Tuplestorestate,
    slot: *mut pg_sys::TupleTableSlot,
}

impl Spool {
    /// Hands over the next row.
    pub fn next<T>(&mut self, read: impl FnOnce(Record) -> T) -> Option<T> {
        check_for_interrupts();
        // SAFETY: store and slot are the spool's own; the slot's values live until the next row is read.
        unsafe {
            if !pg_sys::tuplestore_gettupleslot(self.store, true, false, self.slot) {
                return None;
            }
            let width = (*(*self.slot).tts_tupleDescriptor).natts;
            pg_sys::slot_getsomeattrs_int(self.slot, width);
            let width = width as usize;
            Some(read(Record {
                values: std::slice::from_raw_parts((*self.slot).tts_values, width),
                nulls: std::slice::from_raw_parts((*self.slot).tts_isnull, width),
            }))
        }
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        // While an error unwinds, the transaction's end takes them.
        if !std::thread::panicking() {
            // SAFETY: made in Reader::spool() and used nowhere else.
            unsafe {
                pg_sys::ExecDropSingleTupleTableSlot(self.slot);
                pg_sys::tuplestore_end(self.store);
            }
        }
    }
}

/// A condition on org_id, which is NULL in the platform's own ledger, and its argument.
pub fn in_ledger(ledger: Ledger) -> (&'static str, Value) {
    match ledger {
        // Both take one argument, so that the others have the same numbers.
        None => ("$1::uuid IS NULL AND a.org_id IS NULL", Value::Uuid(None)),
        some => ("a.org_id = $1", Value::Uuid(some)),
    }
}
