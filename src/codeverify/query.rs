//! Queries from Rust, with plans kept for the life of the session.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::{c_char, c_int, CStr, CString};
use std::rc::Rc;

use pgrx::datum::DatumWithOid;
use pgrx::pg_sys::panic::ErrorReportable;
use pgrx::spi::{OwnedPreparedStatement, Result, SpiTupleTable};
use pgrx::{pg_sys, FromDatum, IntoDatum, PgOid, Spi};

thread_local! {
    static PLANS: RefCell<HashMap<&'static str, Rc<OwnedPreparedStatement>>> = RefCell::new(HashMap::new());
    static PLANS_AS_SEEN: RefCell<HashMap<&'static str, pg_sys::SPIPlanPtr>> = RefCell::default();
}

/// Runs a read-only query once and hands its rows to `read`. It assigns no transaction id.
pub fn select<R>(
    sql: &'static str,
    arguments: &[DatumWithOid],
    read: impl FnOnce(SpiTupleTable) -> Result<R>,
) -> R {
    Spi::connect(|client| {
        let plan = kept_plan(sql, arguments, |types| {
            Ok(client.prepare(sql, types)?.keep())
        })?;
        client.select(&*plan, None, arguments).and_then(read)
    })
    .unwrap_or_report()
}

/// Like [`select`], by the snapshot of the statement that asks. Once the transaction has written, [`select`] takes one of its
/// own, for which rows may be elsewhere than for the statement: it would have them twice, or not at all.
pub fn select_as_seen<R>(
    sql: &'static str,
    arguments: &[DatumWithOid],
    read: impl FnOnce(SpiTupleTable) -> Result<R>,
) -> R {
    let (mut values, nulls): (Vec<_>, Vec<_>) = arguments
        .iter()
        .map(|argument| match argument.datum() {
            Some(value) => (value.sans_lifetime(), b' ' as c_char),
            None => (pg_sys::Datum::null(), b'n' as c_char),
        })
        .unzip();
    Spi::connect(|client| {
        // SAFETY: connected to SPI; the portal copies the arguments, which are of the types that the plan was made for.
        let name = unsafe {
            let portal = pg_sys::SPI_cursor_open(
                std::ptr::null(),
                kept_plan_as_seen(sql, arguments),
                values.as_mut_ptr(),
                nulls.as_ptr(),
                true,
            );
            CStr::from_ptr((*portal).name)
                .to_string_lossy()
                .into_owned()
        };
        client
            .find_cursor(&name)?
            .fetch(std::ffi::c_long::MAX)
            .and_then(read)
    })
    .unwrap_or_report()
}

/// To be called while SPI is connected.
fn kept_plan_as_seen(sql: &'static str, arguments: &[DatumWithOid]) -> pg_sys::SPIPlanPtr {
    if let Some(plan) = PLANS_AS_SEEN.with_borrow(|plans| plans.get(sql).copied()) {
        return plan;
    }
    let text = CString::new(sql).unwrap_or_default();
    let mut types: Vec<pg_sys::Oid> = arguments.iter().map(DatumWithOid::oid).collect();
    // SAFETY: connected to SPI; a query that is not understood is an error, so there is a plan to keep.
    let plan = unsafe {
        let plan = pg_sys::SPI_prepare(text.as_ptr(), types.len() as c_int, types.as_mut_ptr());
        pg_sys::SPI_keepplan(plan);
        plan
    };
    PLANS_AS_SEEN.with_borrow_mut(|plans| plans.insert(sql, plan));
    plan
}

/// The first column of the first row; None for no row or NULL.
pub fn select_one<T: FromDatum + IntoDatum>(
    sql: &'static str,
    arguments: &[DatumWithOid],
) -> Option<T> {
    select(sql, arguments, first_value)
}

/// Runs a statement that writes and hands the rows it returns to `read`.
pub fn update<R>(
    sql: &'static str,
    arguments: &[DatumWithOid],
    read: impl FnOnce(SpiTupleTable) -> Result<R>,
) -> R {
    Spi::connect_mut(|client| {
        let plan = kept_plan(sql, arguments, |types| {
            Ok(client.prepare_mut(sql, types)?.keep())
        })?;
        client.update(&*plan, None, arguments).and_then(read)
    })
    .unwrap_or_report()
}

/// Like [`update`]; the first column of the first row that the statement returns.
pub fn update_one<T: FromDatum + IntoDatum>(
    sql: &'static str,
    arguments: &[DatumWithOid],
) -> Option<T> {
    update(sql, arguments, first_value)
}

/// Runs a script: statements one after another, each to its end. (`Spi::run` stops a SELECT after its
/// first row, which would leave calls for the other rows undone.)
pub fn run_script(sql: &str) {
    Spi::connect_mut(|client| client.update(sql, None, &[]).map(|_| ())).unwrap_or_report();
}

fn first_value<T: FromDatum + IntoDatum>(rows: SpiTupleTable) -> Result<Option<T>> {
    if rows.is_empty() {
        Ok(None)
    } else {
        rows.first().get_one()
    }
}

fn kept_plan(
    sql: &'static str,
    arguments: &[DatumWithOid],
    prepare: impl FnOnce(&[PgOid]) -> Result<OwnedPreparedStatement>,
) -> Result<Rc<OwnedPreparedStatement>> {
    if let Some(plan) = PLANS.with_borrow(|plans| plans.get(sql).cloned()) {
        return Ok(plan);
    }
    let types: Vec<PgOid> = arguments
        .iter()
        .map(|argument| PgOid::from(argument.oid()))
        .collect();
    let plan = Rc::new(prepare(&types)?);
    PLANS.with_borrow_mut(|plans| plans.insert(sql, plan.clone()));
    Ok(plan)
}
