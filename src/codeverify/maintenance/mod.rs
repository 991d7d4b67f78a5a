//! Maintenance: what has to be done again and again, in steps that fail one by one.
//!
//! A run goes through [`tasks::TASKS`]. Each step is kept or undone as a whole: in a background worker it is a
//! transaction of its own, in the caller's transaction (codeverify.own_transactions = off, or no worker to be had) a
//! subtransaction. It is done as codeverify_owner; an error in it is written down and does not stop the others.

mod due;
mod here;
pub mod keeper;
mod launch;
mod lock;
pub mod outcomes;
mod queue;
mod records;
mod report;
mod runner;
pub mod settings;
mod sql;
pub mod tasks;
mod timetable;
mod worker;

use pgrx::pg_sys;

use crate::codeverify::owner::OWNER_ROLE;

/// Whether the tables are there. Looked up without a query, which would fail.
fn is_deployed() -> bool {
    // SAFETY: catalog look-ups in a transaction, with 'static strings; what is missing gives InvalidOid.
    unsafe {
        let schema = pg_sys::get_namespace_oid(c"codeverify".as_ptr(), true);
        [
            pg_sys::get_role_oid(OWNER_ROLE.as_ptr(), true),
            pg_sys::get_extension_oid(c"codeverify".as_ptr(), true),
            pg_sys::get_relname_relid(c"maintenance_tasks".as_ptr(), schema),
        ]
        .iter()
        .all(|oid| *oid != pg_sys::InvalidOid)
    }
}
