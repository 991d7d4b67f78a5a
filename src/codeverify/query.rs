//! Queries from Rust, with plans kept for the life of the session.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use pgrx::datum::DatumWithOid;
use pgrx::pg_sys::panic::ErrorReportable;
use pgrx::spi::{OwnedPreparedStatement, Result, SpiTupleTable};
use pgrx::{FromDatum, IntoDatum, PgOid, Spi};

thread_local! {
    static PLANS: RefCell<HashMap<&'static str, Rc<OwnedPreparedStatement>>> = RefCell::new(HashMap::new());
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
