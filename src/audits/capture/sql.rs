//! Functions of schema audits; their comments and grants are in sql/audits/capture.sql.

use pgrx::prelude::*;

use super::plan;
use super::rules::DEFAULTS;
use super::trigger::record;
use crate::codeverify::errors::Error;
use crate::codeverify::raise::raise;

extension_sql_file!(
    "../../../sql/audits/capture.sql",
    name = "audits_capture",
    requires = [default_column_rules, column_treatments]
);

/// Declares a C function to the server, as PG_FUNCTION_INFO_V1 does.
macro_rules! trigger_function {
    ($info:ident) => {
        #[no_mangle]
        #[doc(hidden)]
        pub extern "C" fn $info() -> &'static pg_sys::Pg_finfo_record {
            const V1: pg_sys::Pg_finfo_record = pg_sys::Pg_finfo_record { api_version: 1 };
            &V1
        }
    };
}

trigger_function!(pg_finfo_codeverify_record_changes);
trigger_function!(pg_finfo_codeverify_refresh_capture);

/// What the server has handed to a trigger function; an error when it was not called as one.
///
/// # Safety
/// The call's own information.
unsafe fn trigger_data<'a>(call: pg_sys::FunctionCallInfo) -> &'a pg_sys::TriggerData {
    // SAFETY: a call's context is NULL or a node, and says what kind of node it is.
    unsafe {
        let context = (*call).context;
        if context.is_null() || (*context).type_ != pg_sys::NodeTag::T_TriggerData {
            raise(Error::NotACaptureTrigger);
        }
        &*context.cast::<pg_sys::TriggerData>()
    }
}

/// audits.record_changes(). It is called as C, since pgrx's own triggers do not hand on transition tables.
#[no_mangle]
#[pg_guard]
pub unsafe extern "C-unwind" fn codeverify_record_changes(
    call: pg_sys::FunctionCallInfo,
) -> pg_sys::Datum {
    // SAFETY: the server calls with its own information, which lives until the function returns.
    unsafe { record(trigger_data(call)) };
    pg_sys::Datum::null()
}

/// audits.refresh_capture(): every session forgets what it has read of the table.
#[no_mangle]
#[pg_guard]
pub unsafe extern "C-unwind" fn codeverify_refresh_capture(
    call: pg_sys::FunctionCallInfo,
) -> pg_sys::Datum {
    // SAFETY: as above; the message is sent when the transaction commits, and to itself before its next statement.
    unsafe { pg_sys::CacheInvalidateRelcache(trigger_data(call).tg_relation) };
    pg_sys::Datum::null()
}

#[pg_extern(schema = "audits", immutable, parallel_safe)]
fn default_column_rules() -> TableIterator<
    'static,
    (
        name!(table_pattern, Option<&'static str>),
        name!(column_pattern, &'static str),
        name!(treatment, &'static str),
        name!(reason, &'static str),
    ),
> {
    TableIterator::new(DEFAULTS.iter().map(|rule| {
        (
            rule.table_pattern,
            rule.column_pattern,
            rule.treatment.name(),
            rule.reason,
        )
    }))
}

#[pg_extern(schema = "audits", stable, parallel_restricted)]
fn column_treatments(
    target: pg_sys::Oid,
    arguments: default!(&[u8], "''"),
) -> TableIterator<
    'static,
    (
        name!(column_name, String),
        name!(treatment, &'static str),
        name!(is_key, bool),
    ),
> {
    let columns = plan::columns_of(target, arguments);
    TableIterator::new(columns)
}
