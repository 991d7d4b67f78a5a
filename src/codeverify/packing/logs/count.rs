//! Counts packed lines by bucket and level.

use std::collections::BTreeMap;

use pgrx::pg_sys::{self, Datum, FunctionCallInfo};
use pgrx::prelude::*;
use pgrx::IntoDatum;

use super::arguments::{argument, text, uuid};
use super::candidates::{read_lines, Candidates};
use super::lines::Wanted;
use crate::codeverify::memory::in_scratch_memory;

/// codeverify.count_packed_logs(tenant uuid, since timestamptz, until timestamptz, bucket interval, of_service uuid,
/// of_environment uuid, of_level text).
///
/// # Safety
/// Called by the server.
#[no_mangle]
#[pg_guard]
pub unsafe extern "C-unwind" fn codeverify_count_packed_logs(call: FunctionCallInfo) -> Datum {
    // SAFETY: the arguments are those of the SQL declaration; an interval is behind a pointer.
    let (wanted, stride, result) = unsafe {
        pg_sys::InitMaterializedSRF(call, 0);
        let (Some(org_id), Some(bucket)) = (uuid(call, 0), argument(call, 3)) else {
            return Datum::null();
        };
        let micros = |place| argument(call, place).map(|datum| datum.value() as i64);
        let wanted = Wanted {
            org_id,
            since: micros(1).unwrap_or(i64::MIN),
            until: micros(2).unwrap_or(i64::MAX),
            service: uuid(call, 4),
            environment: uuid(call, 5),
            level: text(call, 6),
            query: None,
            meta: None,
            before: None,
        };
        let bucket = *bucket.cast_mut_ptr::<pg_sys::Interval>();
        let result: *mut pg_sys::ReturnSetInfo = (*call).resultinfo.cast();
        (wanted, stride_of(bucket), result)
    };
    let Some(stride) = stride else {
        ereport!(
            ERROR,
            PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
            "a bucket is a positive interval without months"
        );
    };
    let mut counts: BTreeMap<(i64, String), i64> = BTreeMap::new();
    for candidate in Candidates::new(&wanted) {
        read_lines(candidate, |lines, row| {
            if let (true, Some((ts, _))) = (wanted.has(lines, row), lines.place(row)) {
                let bucket = bucket_of(ts, stride);
                let level = lines.level.get(row).cloned().flatten().unwrap_or_default();
                *counts.entry((bucket, level)).or_default() += 1;
            }
            true
        });
    }
    for ((bucket, level), count) in counts {
        in_scratch_memory(|| {
            let mut values = [
                Datum::from(bucket),
                level.into_datum().unwrap_or(Datum::null()),
                Datum::from(count),
            ];
            let mut nulls = [false; 3];
            // SAFETY: store and descriptor were made for this call; the row is copied.
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
    Datum::null()
}

/// The server looks this up beside the function to learn how to call it.
#[no_mangle]
pub extern "C-unwind" fn pg_finfo_codeverify_count_packed_logs() -> &'static pg_sys::Pg_finfo_record
{
    &pg_sys::Pg_finfo_record { api_version: 1 }
}

/// Where the bucket of a time begins, as date_bin() has it from the first Monday of 2000 on.
fn bucket_of(ts: i64, stride: i64) -> i64 {
    const FIRST_MONDAY: i64 = 2 * 86_400_000_000;
    let since = ts.saturating_sub(FIRST_MONDAY);
    since
        .div_euclid(stride)
        .saturating_mul(stride)
        .saturating_add(FIRST_MONDAY)
}

/// Microseconds of a bucket; None for one that has months, or nothing.
fn stride_of(bucket: pg_sys::Interval) -> Option<i64> {
    let days = i64::from(bucket.day).checked_mul(86_400_000_000)?;
    let stride = days.checked_add(bucket.time)?;
    (bucket.month == 0 && stride > 0).then_some(stride)
}
