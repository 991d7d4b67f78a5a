//! Searches packed lines, newest first.

use std::ffi::CStr;

use pgrx::pg_sys::{self, Datum, FunctionCallInfo};
use pgrx::prelude::*;
use pgrx::{direct_function_call_as_datum, IntoDatum};
use uuid::Uuid;

use super::super::terms::Terms;
use super::arguments::{argument, text, uuid};
use super::candidates::{read_lines, Candidates};
use super::lines::Wanted;
use crate::codeverify::jsonb;
use crate::codeverify::memory::in_scratch_memory;
use crate::tenancy::sql::to_datum;

/// Columns of codeverify.scan_packed_logs().
const WIDTH: usize = 7;

/// A line that was found and waits to be told.
struct Line {
    place: (i64, i64),
    service: Option<Uuid>,
    environment: Option<Uuid>,
    level: Option<String>,
    message: Option<String>,
    meta: Option<String>,
}

/// codeverify.scan_packed_logs(tenant uuid, since timestamptz, until timestamptz, query tsquery, of_service uuid,
/// of_environment uuid, of_level text, of_meta jsonb, max_rows integer, before_ts timestamptz, before_id bigint).
/// Written against the server's own interface, because pgrx would keep all rows of the result in memory.
///
/// # Safety
/// Called by the server.
#[no_mangle]
#[pg_guard]
pub unsafe extern "C-unwind" fn codeverify_scan_packed_logs(call: FunctionCallInfo) -> Datum {
    // SAFETY: the arguments are those of the SQL declaration; the call lasts as long as this function.
    let (wanted, max_rows, result) = unsafe {
        pg_sys::InitMaterializedSRF(call, 0);
        let Some(org_id) = uuid(call, 0) else {
            return Datum::null();
        };
        let micros = |place| argument(call, place).map(|datum| datum.value() as i64);
        let query = argument(call, 3).map(|query| {
            let query = Datum::from(pg_sys::pg_detoast_datum(query.cast_mut_ptr()));
            let shown = direct_function_call_as_datum(pg_sys::tsqueryout, &[Some(query)]);
            let terms = shown.and_then(|shown| {
                Terms::read(&CStr::from_ptr(shown.cast_mut_ptr()).to_string_lossy())
            });
            (query, terms)
        });
        let wanted = Wanted {
            org_id,
            since: micros(1).unwrap_or(i64::MIN),
            until: micros(2).unwrap_or(i64::MAX),
            service: uuid(call, 4),
            environment: uuid(call, 5),
            level: text(call, 6),
            query,
            meta: argument(call, 7),
            before: micros(9).map(|ts| (ts, micros(10).unwrap_or(i64::MIN))),
        };
        let max_rows = argument(call, 8).map_or(usize::MAX, |max| {
            usize::try_from(max.value() as i32).unwrap_or(0)
        });
        let result: *mut pg_sys::ReturnSetInfo = (*call).resultinfo.cast();
        (wanted, max_rows, result)
    };
    let mut left = max_rows;
    let mut found: Vec<Line> = Vec::new();
    let mut candidates = Candidates::new(&wanted).peekable();
    while left > 0 {
        let Some(candidate) = candidates.next() else {
            break;
        };
        let mut of_segment = 0;
        read_lines(candidate, |lines, row| {
            if wanted.has(lines, row) && wanted.matches(lines, row) {
                if let Some(place) = lines.place(row) {
                    found.push(Line {
                        place,
                        service: lines.service.get(row).copied().flatten(),
                        environment: lines.environment.get(row).copied().flatten(),
                        level: lines.level.get(row).cloned().flatten(),
                        message: lines.message.get(row).cloned().flatten(),
                        meta: lines.meta.get(row).cloned().flatten(),
                    });
                    of_segment += 1;
                }
            }
            // A segment is in the order of time, so what is before the lines that were found is older.
            of_segment < left
        });
        found.sort_by_key(|line| std::cmp::Reverse(line.place));
        found.truncate(left);
        // What is newer than all that is left can be told.
        let next = candidates.peek().map_or(i64::MIN, |next| next.max_ts);
        let told = found.partition_point(|line| line.place.0 > next || next == i64::MIN);
        for line in found.drain(..told) {
            // SAFETY: store and descriptor were made for this call.
            unsafe { tell(result, line) };
        }
        left = left.saturating_sub(told);
    }
    Datum::null()
}

/// The server looks this up beside the function to learn how to call it.
#[no_mangle]
pub extern "C-unwind" fn pg_finfo_codeverify_scan_packed_logs() -> &'static pg_sys::Pg_finfo_record
{
    &pg_sys::Pg_finfo_record { api_version: 1 }
}

/// # Safety
/// The result is that of a call of codeverify.scan_packed_logs().
unsafe fn tell(result: *mut pg_sys::ReturnSetInfo, line: Line) {
    in_scratch_memory(|| {
        let values: [Option<Datum>; WIDTH] = [
            Some(Datum::from(line.place.1)),
            line.service.and_then(|id| to_datum(id).into_datum()),
            line.environment.and_then(|id| to_datum(id).into_datum()),
            Some(Datum::from(line.place.0)),
            line.level.into_datum(),
            line.message.into_datum(),
            line.meta.as_deref().and_then(jsonb::from_text),
        ];
        let mut nulls = values.map(|value| value.is_none());
        let mut values = values.map(|value| value.unwrap_or(Datum::null()));
        // SAFETY: as promised by the caller; the row is copied.
        unsafe {
            pg_sys::tuplestore_putvalues(
                (*result).setResult,
                (*result).setDesc,
                values.as_mut_ptr(),
                nulls.as_mut_ptr(),
            );
        }
    });
}
