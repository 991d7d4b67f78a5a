//! The trigger function that refuses changes of rows.

use std::ffi::CStr;

use pgrx::pg_sys::{self, Datum};

use crate::audits::authority::{is_acting, Deed};
use crate::codeverify::errors::Error;

/// What the trigger gives back: the change goes on when the extension itself makes it.
///
/// # Safety
/// `data` is that of the trigger call under way.
pub unsafe fn judge(data: *mut pg_sys::TriggerData) -> Result<Datum, Error> {
    // SAFETY: as promised by the caller; the relation is open during the call.
    unsafe {
        let command = (*data).tg_event & pg_sys::TRIGGER_EVENT_OPMASK;
        if !is_acting(Deed::Maintenance) {
            return Err(Error::LedgerRows {
                command: match command {
                    pg_sys::TRIGGER_EVENT_DELETE => "DELETE",
                    pg_sys::TRIGGER_EVENT_UPDATE => "UPDATE",
                    pg_sys::TRIGGER_EVENT_TRUNCATE => "TRUNCATE",
                    _ => "INSERT",
                },
                table: qualified_name((*data).tg_relation),
            });
        }
        // Of a trigger for statements nothing is expected; before a row, the row to go on with.
        let row = match command {
            _ if (*data).tg_event & pg_sys::TRIGGER_EVENT_ROW == 0 => std::ptr::null_mut(),
            pg_sys::TRIGGER_EVENT_UPDATE => (*data).tg_newtuple,
            _ => (*data).tg_trigtuple,
        };
        Ok(Datum::from(row))
    }
}

/// # Safety
/// `relation` is open.
unsafe fn qualified_name(relation: pg_sys::Relation) -> String {
    // SAFETY: as promised by the caller; the namespace's name is a palloc'd C string or NULL.
    unsafe {
        let form = (*relation).rd_rel;
        let schema = pg_sys::get_namespace_name((*form).relnamespace);
        let name = CStr::from_ptr((*form).relname.data.as_ptr()).to_string_lossy();
        if schema.is_null() {
            name.into_owned()
        } else {
            format!("{}.{name}", CStr::from_ptr(schema).to_string_lossy())
        }
    }
}
