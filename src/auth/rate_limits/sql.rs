//! auth.check_rate_limit(); its declaration is in sql/auth/rate_limits.sql.

use std::cell::Cell;
use std::ptr;

use pgrx::pg_sys::{self, Datum, FunctionCallInfo, TupleDesc};
use pgrx::prelude::*;
use uuid::Uuid;

use super::deletion;
use super::limit::check;
use super::minute::{Answer, Request};
use crate::codeverify::errors::Error;
use crate::codeverify::raise::or_raise;
use crate::tenancy::sql::from_datum;

extension_sql_file!(
    "../../../sql/auth/rate_limits.sql",
    name = "auth_rate_limits",
    requires = [recheck_keys]
);

#[pg_extern(schema = "auth", volatile, parallel_unsafe)]
fn recheck_keys(api_key_ids: Option<Vec<pgrx::Uuid>>) {
    deletion::recheck(api_key_ids.unwrap_or_default().into_iter().map(from_datum));
}

/// auth.check_rate_limit(api_key_id uuid, max_per_minute integer, cost integer). Written against the server's own
/// interface: in memory a use is counted in less time than pgrx takes to make a row of a result.
///
/// # Safety
/// Called by the server.
#[no_mangle]
#[pg_guard]
pub unsafe extern "C-unwind" fn codeverify_check_rate_limit(call: FunctionCallInfo) -> Datum {
    // SAFETY: the arguments are those of the SQL declaration, and a uuid is 16 bytes behind a pointer.
    let (api_key_id, max, cost) = unsafe {
        let argument = |place: usize| {
            let argument = *(*call).args.as_ptr().add(place);
            (!argument.isnull).then_some(argument.value)
        };
        (
            argument(0).map(|id| Uuid::from_bytes(*id.cast_mut_ptr::<[u8; 16]>())),
            argument(1).map(|max| max.value() as i32),
            argument(2).map(|cost| cost.value() as i32),
        )
    };
    let (api_key_id, request) = or_raise(read_request(api_key_id, max, cost));
    write_row(check(api_key_id, request))
}

/// The server looks this up beside the function to learn how to call it.
#[no_mangle]
pub extern "C-unwind" fn pg_finfo_codeverify_check_rate_limit() -> &'static pg_sys::Pg_finfo_record
{
    &pg_sys::Pg_finfo_record { api_version: 1 }
}

fn read_request(
    api_key_id: Option<Uuid>,
    max: Option<i32>,
    cost: Option<i32>,
) -> Result<(Uuid, Request), Error> {
    let problem = |problem| Error::InvalidRateLimit { problem };
    let api_key_id = api_key_id.ok_or_else(|| problem("api_key_id is NULL"))?;
    let max = max
        .and_then(|max| u32::try_from(max).ok())
        .ok_or_else(|| problem("max_per_minute must be 0 or more"))?;
    let cost = cost
        .and_then(|cost| u32::try_from(cost).ok())
        .filter(|cost| *cost > 0)
        .ok_or_else(|| problem("cost must be 1 or more"))?;
    Ok((api_key_id, Request { max, cost }))
}

thread_local! {
    static ROW_TYPE: Cell<TupleDesc> = const { Cell::new(ptr::null_mut()) };
}

/// The only row of the result. A function that returns a set may return one row like any other function.
fn write_row(answer: Answer) -> Datum {
    let mut values = [
        Datum::from(answer.allowed),
        Datum::from(i32::try_from(answer.remaining).unwrap_or(i32::MAX)),
        Datum::from(answer.reset_at),
    ];
    let mut nulls = [false; 3];
    // SAFETY: three values of the row type's three columns; the row is in the caller's memory.
    unsafe {
        let row_type = row_type();
        let row = pg_sys::heap_form_tuple(row_type, values.as_mut_ptr(), nulls.as_mut_ptr());
        pg_sys::HeapTupleHeaderGetDatum((*row).t_data)
    }
}

/// The result's row type, made once in a session.
///
/// # Safety
/// Called inside a function's call.
unsafe fn row_type() -> TupleDesc {
    if ROW_TYPE.get().is_null() {
        // SAFETY: made in memory that lasts as long as the session.
        unsafe {
            let before = pg_sys::MemoryContextSwitchTo(pg_sys::TopMemoryContext);
            let row_type = pg_sys::CreateTemplateTupleDesc(3);
            let columns = [
                (c"allowed", pg_sys::BOOLOID),
                (c"remaining", pg_sys::INT4OID),
                (c"reset_at", pg_sys::TIMESTAMPTZOID),
            ];
            for (place, (name, kind)) in (1..).zip(columns) {
                pg_sys::TupleDescInitEntry(row_type, place, name.as_ptr(), kind, -1, 0);
            }
            ROW_TYPE.set(pg_sys::BlessTupleDesc(row_type));
            pg_sys::MemoryContextSwitchTo(before);
        }
    }
    ROW_TYPE.get()
}
