//! Reads tables of somebody else. To plan a query is to run code: what is constant in the expressions of a table's
//! indexes, statistics and checks is worked out then, as whoever asks. So it is the table's owner who asks, as when
//! work is done on the table; but what may be read, and that row security hides nothing, goes by the caller.

use std::cell::Cell;
use std::ffi::{CStr, CString};

use pgrx::prelude::*;

use super::errors::Error;
use super::owner::{as_role, owner_for, set_for_now};

extern "C-unwind" {
    /// Has the rights to the relations of a query, and below it, looked up for a role instead of the current one: what
    /// the server does for those of a view.
    fn setRuleCheckAsUser(node: *mut pg_sys::Node, role: pg_sys::Oid);
}

/// A query that is about to be analyzed, and who reads.
struct Announced {
    query: CString,
    reader: pg_sys::Oid,
}

thread_local! {
    static NEXT: Cell<Option<Announced>> = const { Cell::new(None) };
}

static mut NEXT_HOOK: pg_sys::post_parse_analyze_hook_type = None;

/// To be called once, when the library is loaded.
pub fn install() {
    // SAFETY: the one thread of the process, before it runs a query of ours.
    unsafe {
        NEXT_HOOK = pg_sys::post_parse_analyze_hook;
        pg_sys::post_parse_analyze_hook = Some(note_reader);
    }
}

/// The server calls it for every query, before its rules and row security are applied. Of what is announced it takes
/// note once: what a query makes somebody else's code ask comes later, and is theirs.
#[pg_guard]
unsafe extern "C-unwind" fn note_reader(
    state: *mut pg_sys::ParseState,
    query: *mut pg_sys::Query,
    jumbled: *mut pg_sys::JumbleState,
) {
    // SAFETY: the server's own arguments; a source is a C string, if there is one.
    unsafe {
        if let Some(announced) = NEXT.take() {
            let source = (*state).p_sourcetext;
            if !source.is_null() && CStr::from_ptr(source) == announced.query.as_c_str() {
                setRuleCheckAsUser(query.cast(), announced.reader);
            }
        }
        if let Some(next) = NEXT_HOOK {
            next(state, query, jumbled);
        }
    }
}

/// Takes back what was announced; an error unwinds through it too.
struct Withdraw;

impl Drop for Withdraw {
    fn drop(&mut self) {
        NEXT.take();
    }
}

/// Has `run` plan a query, and run it, as the owner of a table with the caller's rights to read; what it fetches later
/// runs as whoever fetches.
pub fn reading<T>(
    table: pg_sys::Oid,
    query: &str,
    run: impl FnOnce(&str) -> T,
) -> Result<T, Error> {
    with_rights_of_caller(table, query, |query| {
        // Where row security would hide rows, that is an error.
        // SAFETY: inside of the level of settings that as_role() opened.
        unsafe { set_for_now(c"row_security", c"off") };
        run(query)
    })
}

/// The same for a statement that writes: the owner's triggers find row security as it is.
pub fn writing<T>(
    table: pg_sys::Oid,
    statement: &str,
    run: impl FnOnce(&str) -> T,
) -> Result<T, Error> {
    with_rights_of_caller(table, statement, run)
}

fn with_rights_of_caller<T>(
    table: pg_sys::Oid,
    query: &str,
    run: impl FnOnce(&str) -> T,
) -> Result<T, Error> {
    let owner = owner_for(table)?;
    // SAFETY: reads the current role.
    let reader = unsafe { pg_sys::GetUserId() };
    Ok(as_role(owner, || {
        let _withdraw = Withdraw;
        NEXT.set(
            CString::new(query)
                .ok()
                .map(|query| Announced { query, reader }),
        );
        run(query)
    }))
}
