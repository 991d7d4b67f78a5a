//! The trigger function of the view; its declaration and comment are in sql/observability/log_ingestion.sql.

use std::cell::{Cell, RefCell};
use std::ffi::c_void;

use pgrx::datum::TimestampWithTimeZone;
use pgrx::pg_sys::{self, Datum, FunctionCallInfo};
use pgrx::prelude::*;
use pgrx::FromDatum;

use super::queues::Queues;
use crate::codeverify::jsonb::{self, Jsonb};
use crate::codeverify::memory::in_scratch_memory;
use crate::codeverify::owner::as_owner;
use crate::codeverify::query::update_one;
use crate::codeverify::raise::or_raise;
use crate::codeverify::transaction;
use crate::tenancy::context;
use crate::tenancy::permission::Permission;
use crate::tenancy::sql::to_datum;

/// Lines that are handed on together, and their size in bytes above which they are fewer.
const BATCH: usize = 1_000;
const BATCH_SIZE: usize = 8 << 20;

/// A line as it came.
struct Line {
    service: Option<pgrx::Uuid>,
    environment: Option<pgrx::Uuid>,
    ts: Option<TimestampWithTimeZone>,
    level: Option<String>,
    message: Option<String>,
    /// The jsonb as the server stores it.
    meta: Option<Vec<u8>>,
}

impl Line {
    fn size(&self) -> usize {
        let texts = [&self.level, &self.message];
        let text: usize = texts.into_iter().flatten().map(String::len).sum();
        text + self.meta.as_ref().map_or(0, Vec::len)
    }

    /// # Safety
    /// The row is one of the view, whose columns have these places and types.
    unsafe fn read(row: pg_sys::HeapTuple, descriptor: pg_sys::TupleDesc) -> Line {
        let value = |column: i32| {
            let mut is_null = true;
            // SAFETY: as promised by the caller.
            let value = unsafe { pg_sys::heap_getattr(row, column, descriptor, &mut is_null) };
            (value, is_null)
        };
        /// # Safety
        /// The value is of T's type.
        unsafe fn get<T: FromDatum>((value, is_null): (Datum, bool)) -> Option<T> {
            // SAFETY: as promised by the caller.
            unsafe { T::from_datum(value, is_null) }
        }
        // SAFETY: as promised by the caller; all is copied out of the row.
        unsafe {
            Line {
                service: get(value(1)),
                environment: get(value(2)),
                ts: get(value(3)),
                level: get(value(4)),
                message: get(value(5)),
                meta: match value(6) {
                    (_, true) => None,
                    (meta, false) => Some(jsonb::content_of(meta).to_vec()),
                },
            }
        }
    }
}

thread_local! {
    static COLLECTED: RefCell<Queues<Line>> = const { RefCell::new(Queues::new()) };
    static IS_WATCHING: Cell<bool> = const { Cell::new(false) };
    static FOLLOWS_SUBTRANSACTIONS: Cell<bool> = const { Cell::new(false) };
}

/// From now on what a statement that fails has collected goes with it.
fn watch() {
    if !FOLLOWS_SUBTRANSACTIONS.replace(true) {
        // SAFETY: registered once for the life of the process, with a function that never fails.
        unsafe {
            pg_sys::RegisterSubXactCallback(Some(end_subtransaction), std::ptr::null_mut());
        }
    }
    if !IS_WATCHING.replace(true) {
        transaction::at_end(forget);
    }
}

/// Called in the middle of the transaction's end, where nothing may fail.
fn forget() {
    IS_WATCHING.set(false);
    COLLECTED.with(|collected| {
        if let Ok(mut collected) = collected.try_borrow_mut() {
            collected.clear();
        }
    });
}

/// As for `forget`. A transaction may roll back any number of statements: without this it would keep the lines of all.
unsafe extern "C-unwind" fn end_subtransaction(
    event: pg_sys::SubXactEvent::Type,
    subtransaction: pg_sys::SubTransactionId,
    _parent: pg_sys::SubTransactionId,
    _argument: *mut c_void,
) {
    if event == pg_sys::SubXactEvent::SUBXACT_EVENT_ABORT_SUB {
        COLLECTED.with(|collected| {
            if let Ok(mut collected) = collected.try_borrow_mut() {
                collected.roll_back(subtransaction);
            }
        });
    }
}

/// Writes lines into the organization in context, and those that are not good beside them.
fn store(lines: Vec<Line>) {
    if lines.is_empty() {
        return;
    }
    let tenant = or_raise(context::require_permission(Permission::Write));
    let mut services = Vec::with_capacity(lines.len());
    let mut environments = Vec::with_capacity(lines.len());
    let mut times = Vec::with_capacity(lines.len());
    let mut levels = Vec::with_capacity(lines.len());
    let mut messages = Vec::with_capacity(lines.len());
    let mut metas = Vec::with_capacity(lines.len());
    for line in lines {
        services.push(line.service);
        environments.push(line.environment);
        times.push(line.ts);
        levels.push(line.level);
        messages.push(line.message);
        metas.push(line.meta);
    }
    in_scratch_memory(|| {
        let metas: Vec<Option<Jsonb>> = metas
            .into_iter()
            .map(|meta| meta.map(|content| Jsonb(jsonb::from_content(&content))))
            .collect();
        as_owner(|| {
            update_one::<i64>(
                "SELECT observability.store_logs($1, $2, $3, $4, $5, $6, $7, NULL, NULL)",
                &[
                    to_datum(tenant).into(),
                    services.into(),
                    environments.into(),
                    times.into(),
                    levels.into(),
                    messages.into(),
                    metas.into(),
                ],
            )
        })
    });
}

/// The trigger function observability.take_log_line(), for the statement before and after, and for each row instead.
///
/// # Safety
/// Called by the server.
#[no_mangle]
#[pg_guard]
pub unsafe extern "C-unwind" fn codeverify_take_log_line(call: FunctionCallInfo) -> Datum {
    // SAFETY: a trigger's call has a TriggerData as its context, which the node tag tells.
    let data = unsafe {
        let context = (*call).context;
        if context.is_null() || (*context).type_ != pg_sys::NodeTag::T_TriggerData {
            ereport!(
                ERROR,
                PgSqlErrorCode::ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED,
                "observability.take_log_line() is the trigger function of observability.log_intake"
            );
        }
        &*context.cast::<pg_sys::TriggerData>()
    };
    if data.tg_event & pg_sys::TRIGGER_EVENT_ROW == 0 {
        if data.tg_event & pg_sys::TRIGGER_EVENT_TIMINGMASK == pg_sys::TRIGGER_EVENT_BEFORE {
            or_raise(context::require_permission(Permission::Write));
            watch();
            // SAFETY: reads the number of the current subtransaction.
            let subtransaction = unsafe { pg_sys::GetCurrentSubTransactionId() };
            COLLECTED.with_borrow_mut(|collected| collected.open(subtransaction));
        } else {
            store(COLLECTED.with_borrow_mut(|collected| collected.close()));
        }
        return Datum::null();
    }
    // SAFETY: nobody but the owner may create a trigger with this function, and does so for the view.
    let line = unsafe { Line::read(data.tg_trigtuple, (*data.tg_relation).rd_att) };
    let size = line.size();
    let (lines, size) = COLLECTED.with_borrow_mut(|collected| collected.add(line, size));
    if lines >= BATCH || size >= BATCH_SIZE {
        store(COLLECTED.with_borrow_mut(|collected| collected.take()));
    }
    Datum::from(data.tg_trigtuple)
}

/// The server looks this up beside the function to learn how to call it.
#[no_mangle]
pub extern "C-unwind" fn pg_finfo_codeverify_take_log_line() -> &'static pg_sys::Pg_finfo_record {
    &pg_sys::Pg_finfo_record { api_version: 1 }
}
