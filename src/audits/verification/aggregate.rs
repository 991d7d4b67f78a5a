//! Glue: the aggregate audits.tally(), which the pass over all entries is made of. Written against the server's own
//! interface: it is called for every entry, and pgrx's wrapper would copy each of its values.

use std::cell::Cell;

use pgrx::pg_sys::{self, Datum, FunctionCallInfo};
use pgrx::prelude::*;

use super::row::{Row, WIDTH};
use super::tally::Tally;
use crate::codeverify::errors::Error;
use crate::codeverify::progress::{Operation, Progress};
use crate::codeverify::raise::raise;

/// How many entries are counted before progress is shown.
const STRIDE: u64 = 1024;

thread_local! {
    static COUNTED: Cell<u64> = const { Cell::new(0) };
}

/// Shows that another entry has been read, by whichever process has.
fn count_entry() {
    let counted = COUNTED.get() + 1;
    COUNTED.set(counted);
    if counted % STRIDE == 0 {
        Progress::count_in_this_process(Operation::Verify, STRIDE);
    }
}

/// The memory that lives as long as the aggregate's states.
///
/// # Safety
/// `call` is a function's call.
unsafe fn state_context(call: FunctionCallInfo) -> pg_sys::MemoryContext {
    let mut context = std::ptr::null_mut();
    // SAFETY: as promised by the caller; the pointer is to a live local.
    if unsafe { pg_sys::AggCheckCallContext(call, &mut context) } == 0 {
        raise(Error::NotInAnAggregate);
    }
    context
}

/// # Safety
/// `call` is a call with more than `place` arguments.
unsafe fn argument(call: FunctionCallInfo, place: usize) -> Option<Datum> {
    // SAFETY: as promised by the caller.
    let argument = unsafe { *(*call).args.as_ptr().add(place) };
    (!argument.isnull).then_some(argument.value)
}

/// # Safety
/// `call` is an aggregate's call; argument `place` is NULL or a state.
unsafe fn state(call: FunctionCallInfo, place: usize) -> Option<*mut Tally> {
    // SAFETY: as promised by the caller.
    unsafe { argument(call, place) }.map(|datum| datum.cast_mut_ptr::<Tally>())
}

/// # Safety
/// `call` is an aggregate's call.
unsafe fn new_state(call: FunctionCallInfo, tally: Tally) -> *mut Tally {
    // SAFETY: the server's allocator aligns for anything a Tally holds; it is plain data, so that
    // nothing needs to be dropped.
    unsafe {
        let state =
            pg_sys::MemoryContextAlloc(state_context(call), size_of::<Tally>()).cast::<Tally>();
        state.write(tally);
        state
    }
}

const _: () = assert!(align_of::<Tally>() <= pg_sys::MAXIMUM_ALIGNOF as usize);

/// The transition function audits.tally_entry(internal, columns of an entry, key).
///
/// # Safety
/// Called by the server.
#[no_mangle]
#[pg_guard]
pub unsafe extern "C-unwind" fn codeverify_tally_entry(call: FunctionCallInfo) -> Datum {
    // SAFETY: the arguments are those of the SQL declaration; only an aggregate has a value of type internal for
    // the first, and for its first entry new_state() makes sure that this is one.
    unsafe {
        let tally = state(call, 0).unwrap_or_else(|| {
            let word = |place| argument(call, place).map_or(0, |datum| datum.value() as u64);
            new_state(call, Tally::new((word(WIDTH + 1), word(WIDTH + 2))))
        });
        let row = Row::read(|place| argument(call, place + 1));
        (*tally).add(&row.seen());
        count_entry();
        Datum::from(tally)
    }
}

/// audits.join_tallies(internal, internal): what two processes have seen of one lane.
///
/// # Safety
/// Called by the server.
#[no_mangle]
#[pg_guard]
pub unsafe extern "C-unwind" fn codeverify_join_tallies(call: FunctionCallInfo) -> Datum {
    // SAFETY: as above; the two states are different ones.
    unsafe {
        match (state(call, 0), state(call, 1)) {
            (Some(one), Some(other)) => {
                (*one).join(&*other);
                Datum::from(one)
            }
            (Some(one), None) => Datum::from(one),
            // The other one's memory does not last.
            (None, Some(other)) => Datum::from(new_state(call, *other)),
            (None, None) => {
                (*call).isnull = true;
                Datum::null()
            }
        }
    }
}

/// audits.write_tally(internal): for another process, and for the query's result.
///
/// # Safety
/// Called by the server.
#[no_mangle]
#[pg_guard]
pub unsafe extern "C-unwind" fn codeverify_write_tally(call: FunctionCallInfo) -> Datum {
    // SAFETY: as above; the function is STRICT.
    unsafe {
        state_context(call);
        let tally = state(call, 0).map(|tally| (*tally).to_bytes());
        tally
            .map(|bytes| bytes.to_vec())
            .into_datum()
            .unwrap_or(Datum::null())
    }
}

/// audits.read_tally(bytea, internal): from another process.
///
/// # Safety
/// Called by the server.
#[no_mangle]
#[pg_guard]
pub unsafe extern "C-unwind" fn codeverify_read_tally(call: FunctionCallInfo) -> Datum {
    // SAFETY: as above; the function is STRICT.
    unsafe {
        state_context(call);
        let bytes = argument(call, 0).and_then(|datum| Vec::<u8>::from_datum(datum, false));
        match bytes.and_then(|bytes| Tally::from_bytes(&bytes)) {
            Some(tally) => Datum::from(new_state_here(tally)),
            None => raise(Error::NotInAnAggregate),
        }
    }
}

/// # Safety
/// To be called while the server works in the memory context that the state is for.
unsafe fn new_state_here(tally: Tally) -> *mut Tally {
    // SAFETY: as in new_state().
    unsafe {
        let state = pg_sys::palloc(size_of::<Tally>()).cast::<Tally>();
        state.write(tally);
        state
    }
}

macro_rules! version_1 {
    ($($name:ident),*) => {
        $(
            /// The server looks this up beside the function to learn how to call it.
            #[no_mangle]
            pub extern "C-unwind" fn $name() -> &'static pg_sys::Pg_finfo_record {
                &pg_sys::Pg_finfo_record { api_version: 1 }
            }
        )*
    };
}

version_1!(
    pg_finfo_codeverify_tally_entry,
    pg_finfo_codeverify_join_tallies,
    pg_finfo_codeverify_write_tally,
    pg_finfo_codeverify_read_tally
);
