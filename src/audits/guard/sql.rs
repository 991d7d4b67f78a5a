//! Functions of schema audits that guard it; their comments and grants are in sql/audits/guard.sql.

use std::ffi::CStr;

use pgrx::pg_sys::{self, Datum, FunctionCallInfo};
use pgrx::prelude::*;

use super::definitions::Command;
use super::rows;
use crate::codeverify::errors::Error;
use crate::codeverify::raise::{or_raise, raise};

extension_sql_file!(
    "../../../sql/audits/guard.sql",
    name = "audits_guard",
    requires = ["tenancy_isolation"]
);

/// The trigger function audits.refuse_change(), for rows and for statements.
///
/// # Safety
/// Called by the server.
#[no_mangle]
#[pg_guard]
pub unsafe extern "C-unwind" fn codeverify_refuse_change(call: FunctionCallInfo) -> Datum {
    // SAFETY: a trigger's call has a TriggerData as its context, which the node tag tells.
    unsafe {
        let context = (*call).context;
        if context.is_null() || (*context).type_ != pg_sys::NodeTag::T_TriggerData {
            raise(Error::NotAGuard);
        }
        or_raise(rows::judge(context.cast()))
    }
}

/// The server looks this up beside the function to learn how to call it.
#[no_mangle]
pub extern "C-unwind" fn pg_finfo_codeverify_refuse_change() -> &'static pg_sys::Pg_finfo_record {
    &pg_sys::Pg_finfo_record { api_version: 1 }
}

/// The event trigger function audits.guard_definitions(), for all three moments of a command.
///
/// # Safety
/// Called by the server.
#[no_mangle]
#[pg_guard]
pub unsafe extern "C-unwind" fn codeverify_guard_definitions(call: FunctionCallInfo) -> Datum {
    // SAFETY: an event trigger's call has an EventTriggerData as its context, which the node tag tells; it
    // and the parse tree live until the function returns.
    unsafe {
        let context = (*call).context;
        if context.is_null() || (*context).type_ != pg_sys::NodeTag::T_EventTriggerData {
            raise(Error::NotAGuard);
        }
        let data = &*context.cast::<pg_sys::EventTriggerData>();
        let command = Command {
            statement: data.parsetree,
            tag: CStr::from_ptr(pg_sys::GetCommandTagName(data.tag))
                .to_string_lossy()
                .into_owned(),
            // Not by name: that could be changed.
            schema: pg_sys::get_func_namespace((*(*call).flinfo).fn_oid),
        };
        or_raise(match CStr::from_ptr(data.event).to_bytes() {
            b"ddl_command_start" => command.begins(),
            b"sql_drop" => command.has_dropped(),
            b"ddl_command_end" => command.has_ended(),
            _ => Ok(()),
        });
    }
    Datum::from(0)
}

/// The server looks this up beside the function to learn how to call it.
#[no_mangle]
pub extern "C-unwind" fn pg_finfo_codeverify_guard_definitions() -> &'static pg_sys::Pg_finfo_record
{
    &pg_sys::Pg_finfo_record { api_version: 1 }
}
