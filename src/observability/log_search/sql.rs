//! The functions as the server calls them; their declarations and comments are in sql/observability/log_search.sql.
//! Written against the server's own interface: lines go from one query into the result of another as they are.

use pgrx::datum::TimestampWithTimeZone;
use pgrx::pg_sys::{self, Datum, FunctionCallInfo};
use pgrx::prelude::*;
use uuid::Uuid;

use super::find::{find, Wanted};
use super::partitions;
use super::plans::Rows;
use crate::codeverify::errors::Error;
use crate::codeverify::owner::as_owner;
use crate::codeverify::raise::or_raise;
use crate::tenancy::context;
use crate::tenancy::permission::Permission;
use crate::tenancy::sql::from_datum;

extension_sql_file!(
    "../../../sql/observability/log_search.sql",
    name = "observability_log_search",
    requires = [hold_logs]
);

const LEVELS: [&str; 6] = ["trace", "debug", "info", "warn", "error", "fatal"];
/// Each word is a level deeper in a query, and the server's stack is not without end.
const QUERY_CHARACTERS: usize = 4_000;
const DEFAULT_ROWS: i64 = 100;
const MOST_ROWS: i64 = 1_000;
const SCAN_LIMIT: i64 = 100_000;
const THIRTY_DAYS: i64 = 30 * 86_400_000_000;
/// Columns of a line.
const WIDTH: usize = 7;

/// The arguments of a call.
struct Arguments(FunctionCallInfo);

impl Arguments {
    fn get(&self, place: usize) -> Option<Datum> {
        // SAFETY: the server calls with as many arguments as the SQL declaration has, and no place is beyond them.
        let argument = unsafe { *(*self.0).args.as_ptr().add(place) };
        (!argument.isnull).then_some(argument.value)
    }

    fn number(&self, place: usize) -> Option<i64> {
        self.get(place).map(|value| value.value() as i64)
    }

    fn int(&self, place: usize) -> Option<i64> {
        self.get(place).map(|value| i64::from(value.value() as i32))
    }

    fn text(&self, place: usize) -> Option<String> {
        // SAFETY: the argument is a text.
        unsafe { String::from_datum(self.get(place)?, false) }
    }

    /// The arguments that both functions have in the same order, from a place on; all but the last.
    fn wanted(&self, tenant: Uuid, from: usize, scan_limit: i64) -> Wanted {
        if let Some(level) = self.text(from + 3) {
            if !LEVELS.contains(&level.as_str()) {
                or_raise(Err(Error::UnknownLevel { level }))
            }
        }
        // SAFETY: reads a variable of the current transaction.
        let now = unsafe { pg_sys::GetCurrentTransactionStartTimestamp() };
        let until = self.number(from + 5).unwrap_or(i64::MAX);
        let query = self.text(from).filter(|query| !query.trim().is_empty());
        Wanted {
            tenant,
            query: query.map(|query| query.chars().take(QUERY_CHARACTERS).collect()),
            service: self.get(from + 1),
            environment: self.get(from + 2),
            level: self.get(from + 3),
            since: self
                .number(from + 4)
                .unwrap_or_else(|| until.min(now).saturating_sub(THIRTY_DAYS)),
            until,
            meta: self.get(from + 6),
            max_rows: self.int(from + 7).unwrap_or(DEFAULT_ROWS).min(MOST_ROWS),
            before_id: self.number(from + 8),
            scan_limit,
        }
    }
}

/// # Safety
/// The call is one of a function that returns the columns of a line.
unsafe fn answer(call: FunctionCallInfo, wanted: &Wanted) {
    // SAFETY: as promised by the caller.
    let (store, descriptor) = unsafe {
        pg_sys::InitMaterializedSRF(call, 0);
        let result: *mut pg_sys::ReturnSetInfo = (*call).resultinfo.cast();
        ((*result).setResult, (*result).setDesc)
    };
    find(wanted, |rows: &Rows, row| {
        let mut values = [Datum::null(); WIDTH];
        let mut nulls = [true; WIDTH];
        for (place, (value, is_null)) in values.iter_mut().zip(&mut nulls).enumerate() {
            if let Some(found) = rows.get(row, place + 1) {
                (*value, *is_null) = (found, false);
            }
        }
        // SAFETY: store and descriptor were made for this call; the row, whose values have the types of its columns,
        // is copied.
        unsafe {
            pg_sys::tuplestore_putvalues(
                store,
                descriptor,
                values.as_mut_ptr(),
                nulls.as_mut_ptr(),
            );
        }
    });
}

/// observability.search_logs(query text, service_id uuid, environment_id uuid, level text, since timestamptz,
/// until timestamptz, meta jsonb, max_rows integer, before_id bigint).
///
/// # Safety
/// Called by the server.
#[no_mangle]
#[pg_guard]
pub unsafe extern "C-unwind" fn codeverify_search_logs(call: FunctionCallInfo) -> Datum {
    let tenant = or_raise(context::require_permission(Permission::Read));
    let wanted = Arguments(call).wanted(tenant, 0, SCAN_LIMIT);
    // SAFETY: the call is that of the SQL declaration.
    as_owner(|| unsafe { answer(call, &wanted) });
    Datum::null()
}

/// The server looks this up beside the function to learn how to call it.
#[no_mangle]
pub extern "C-unwind" fn pg_finfo_codeverify_search_logs() -> &'static pg_sys::Pg_finfo_record {
    &pg_sys::Pg_finfo_record { api_version: 1 }
}

/// observability.find_logs(tenant uuid, the arguments of observability.search_logs(), scan_limit integer).
///
/// # Safety
/// Called by the server.
#[no_mangle]
#[pg_guard]
pub unsafe extern "C-unwind" fn codeverify_find_logs(call: FunctionCallInfo) -> Datum {
    let arguments = Arguments(call);
    // SAFETY: the call is that of the SQL declaration, which is no STRICT one.
    unsafe {
        let tenant = arguments
            .get(0)
            .and_then(|tenant| pgrx::Uuid::from_datum(tenant, false));
        match (tenant, arguments.int(10)) {
            (Some(tenant), Some(limit)) => {
                answer(call, &arguments.wanted(from_datum(tenant), 1, limit));
            }
            _ => pg_sys::InitMaterializedSRF(call, 0),
        }
    }
    Datum::null()
}

/// The server looks this up beside the function to learn how to call it.
#[no_mangle]
pub extern "C-unwind" fn pg_finfo_codeverify_find_logs() -> &'static pg_sys::Pg_finfo_record {
    &pg_sys::Pg_finfo_record { api_version: 1 }
}

#[pg_extern(
    sql = "CREATE FUNCTION observability.hold_logs(since timestamptz, until timestamptz) RETURNS void \
           VOLATILE STRICT PARALLEL UNSAFE LANGUAGE c AS '@MODULE_PATHNAME@', '@FUNCTION_NAME@';"
)]
fn hold_logs(since: TimestampWithTimeZone, until: TimestampWithTimeZone) {
    partitions::hold(since.into_inner(), until.into_inner());
}
