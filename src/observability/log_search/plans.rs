//! Statements whose text is put together, kept prepared.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::{c_char, c_int, CString};

use pgrx::pg_sys::{self, Datum};
use pgrx::spi::Spi;

use super::statements::Parameter;
use crate::codeverify::caught::keeping_code;

/// Enough for the partitions of a month in a few shapes; who searches more prepares anew.
const MOST: usize = 256;

thread_local! {
    static PLANS: RefCell<HashMap<String, pg_sys::SPIPlanPtr>> = RefCell::default();
}

/// How a statement is planned.
#[derive(Clone, Copy)]
pub enum Planning {
    /// For the values that it is run with: what they select decides by which index it goes.
    EachTime,
    /// Once, since there is but one good way.
    Once,
}

/// What the parameters of all statements of a search are.
pub struct Values {
    values: [Datum; Parameter::COUNT],
    nulls: [c_char; Parameter::COUNT],
}

impl Values {
    pub fn new() -> Values {
        Values {
            values: [Datum::null(); Parameter::COUNT],
            nulls: [b'n' as c_char; Parameter::COUNT],
        }
    }

    /// Sets a parameter, whose value is of its type and outlives the search.
    pub fn set(&mut self, parameter: Parameter, value: Option<Datum>) {
        let place = parameter.place();
        self.values[place] = value.unwrap_or(Datum::null());
        self.nulls[place] = if value.is_some() { b' ' } else { b'n' } as c_char;
    }
}

/// In the order of [`Parameter`].
const TYPES: [pg_sys::Oid; Parameter::COUNT] = [
    pg_sys::UUIDOID,
    pg_sys::TIMESTAMPTZOID,
    pg_sys::TIMESTAMPTZOID,
    pg_sys::UUIDOID,
    pg_sys::UUIDOID,
    pg_sys::TEXTOID,
    pg_sys::TSQUERYOID,
    pg_sys::JSONBOID,
    pg_sys::TIMESTAMPTZOID,
    pg_sys::INT8OID,
    pg_sys::INT8OID,
    pg_sys::INT8OID,
    pg_sys::INT8OID,
];

/// Rows that a statement has found, until the connection to SPI ends.
pub struct Rows {
    table: *mut pg_sys::SPITupleTable,
    count: usize,
}

impl Rows {
    pub fn count(&self) -> usize {
        self.count
    }

    /// The value of a column, counted from 1; None for NULL, and where there is no such row.
    pub fn get(&self, row: usize, column: usize) -> Option<Datum> {
        if row >= self.count {
            return None;
        }
        let mut is_null = true;
        // SAFETY: the table has a tuple at each place below its count; a column that it does not have is NULL.
        let value = unsafe {
            pg_sys::SPI_getbinval(
                *(*self.table).vals.add(row),
                (*self.table).tupdesc,
                column as c_int,
                &mut is_null,
            )
        };
        (!is_null).then_some(value)
    }

    /// The same for a bigint or a timestamptz.
    pub fn number(&self, row: usize, column: usize) -> Option<i64> {
        self.get(row, column).map(|value| value.value() as i64)
    }
}

/// Runs a statement that reads, with the active snapshot, while SPI is connected.
pub fn run(statement: &str, planning: Planning, values: &Values) -> Rows {
    let plan = kept_plan(statement, planning);
    // SAFETY: the plan was made for parameters of these types; the server copies neither array, and writes to none.
    unsafe {
        let code = keeping_code(|| {
            pg_sys::SPI_execute_plan(
                plan,
                values.values.as_ptr().cast_mut(),
                values.nulls.as_ptr(),
                true,
                0,
            )
        });
        if let Err(error) = Spi::check_status(code) {
            pgrx::error!("{error}");
        }
        Rows {
            table: pg_sys::SPI_tuptable,
            count: if pg_sys::SPI_tuptable.is_null() {
                0
            } else {
                (*pg_sys::SPI_tuptable).numvals as usize
            },
        }
    }
}

fn kept_plan(statement: &str, planning: Planning) -> pg_sys::SPIPlanPtr {
    if let Some(plan) = PLANS.with_borrow(|plans| plans.get(statement).copied()) {
        return plan;
    }
    let options = match planning {
        Planning::EachTime => pg_sys::CURSOR_OPT_CUSTOM_PLAN,
        Planning::Once => pg_sys::CURSOR_OPT_GENERIC_PLAN,
    };
    // Names of tables hold no NUL byte.
    let text = CString::new(statement).unwrap_or_default();
    let mut types = TYPES;
    // SAFETY: text and types outlive the call, which copies them and raises an error for a statement that it cannot
    // take; a kept plan lives until it is freed below, where nothing uses it any more.
    let plan = unsafe {
        let plan = pg_sys::SPI_prepare_cursor(
            text.as_ptr(),
            types.len() as c_int,
            types.as_mut_ptr(),
            options as c_int,
        );
        pg_sys::SPI_keepplan(plan);
        plan
    };
    PLANS.with_borrow_mut(|plans| {
        if plans.len() >= MOST {
            for (_, plan) in plans.drain() {
                // SAFETY: a statement of a search runs no other search, so none of the plans is in use.
                unsafe { pg_sys::SPI_freeplan(plan) };
            }
        }
        plans.insert(statement.to_owned(), plan);
    });
    plan
}
