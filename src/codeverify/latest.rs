//! Queries that see what is committed now, whatever the transaction's snapshot.
//!
//! At REPEATABLE READ and SERIALIZABLE a transaction that was opened before a secret was revoked would see it as good for
//! as long as it likes. So secrets are looked up under a snapshot of their own. (SPI by itself uses the transaction's.)

use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::{c_char, CString};

use pgrx::datum::DatumWithOid;
use pgrx::{pg_sys, FromDatum, Spi};

thread_local! {
    static PLANS: RefCell<HashMap<&'static str, pg_sys::SPIPlanPtr>> = RefCell::new(HashMap::new());
}

/// Rows that a query found.
pub struct Rows {
    table: *mut pg_sys::SPITupleTable,
    count: usize,
}

/// One of them.
#[derive(Clone, Copy)]
pub struct Row<'a> {
    rows: &'a Rows,
    place: usize,
}

impl Rows {
    pub fn first(&self) -> Option<Row<'_>> {
        self.iter().next()
    }

    pub fn iter(&self) -> impl ExactSizeIterator<Item = Row<'_>> {
        (0..self.count).map(|place| Row { rows: self, place })
    }
}

impl Row<'_> {
    /// The value of a column, counted from 1, which must be of T's type; None for NULL.
    pub fn get<T: FromDatum>(self, column: i32) -> Option<T> {
        let mut is_null = true;
        // SAFETY: the table lives as long as the rows, which has a tuple at each place below its count; a column that
        // it does not have is NULL. What T needs is copied out of it.
        unsafe {
            let tuple = *(*self.rows.table).vals.add(self.place);
            let descriptor = (*self.rows.table).tupdesc;
            let value = pg_sys::SPI_getbinval(tuple, descriptor, column, &mut is_null);
            T::from_datum(value, is_null)
        }
    }
}

/// Runs a query that writes nothing, and hands its rows to `read`. It assigns no transaction id, and works in
/// transactions that may only read.
pub fn select_latest<R>(
    sql: &'static str,
    arguments: &[DatumWithOid],
    read: impl FnOnce(&Rows) -> R,
) -> R {
    Spi::connect(|_| {
        let plan = kept_plan(sql, arguments);
        let (mut values, nulls): (Vec<pg_sys::Datum>, Vec<c_char>) = arguments
            .iter()
            .map(|argument| match argument.datum() {
                Some(value) => (value.sans_lifetime(), b' ' as c_char),
                None => (pg_sys::Datum::null(), b'n' as c_char),
            })
            .unzip();
        // SAFETY: the plan was made for arguments of these types; the snapshot is registered until the query is over,
        // and released by the end of the (sub)transaction if it fails.
        let rows = unsafe {
            let snapshot = pg_sys::RegisterSnapshot(pg_sys::GetLatestSnapshot());
            pg_sys::SPI_execute_snapshot(
                plan,
                values.as_mut_ptr(),
                nulls.as_ptr(),
                snapshot,
                std::ptr::null_mut(),
                true,
                false,
                0,
            );
            pg_sys::UnregisterSnapshot(snapshot);
            Rows {
                table: pg_sys::SPI_tuptable,
                count: if pg_sys::SPI_tuptable.is_null() {
                    0
                } else {
                    (*pg_sys::SPI_tuptable).numvals as usize
                },
            }
        };
        read(&rows)
    })
}

fn kept_plan(sql: &'static str, arguments: &[DatumWithOid]) -> pg_sys::SPIPlanPtr {
    if let Some(plan) = PLANS.with_borrow(|plans| plans.get(sql).copied()) {
        return plan;
    }
    let mut types: Vec<pg_sys::Oid> = arguments.iter().map(DatumWithOid::oid).collect();
    // The extension's own queries hold no NUL byte.
    let text = CString::new(sql).unwrap_or_default();
    // SAFETY: text and types outlive the call, which copies them and raises an error for a query that it cannot plan;
    // a kept plan lives as long as the session.
    let plan = unsafe {
        let plan = pg_sys::SPI_prepare(text.as_ptr(), types.len() as i32, types.as_mut_ptr());
        pg_sys::SPI_keepplan(plan);
        plan
    };
    PLANS.with_borrow_mut(|plans| plans.insert(sql, plan));
    plan
}
