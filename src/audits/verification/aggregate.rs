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
    if counted.is_multiple_of(STRIDE) {
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

/// A tally in the server's memory, which drops it when that is freed.
struct State {
    tally: Tally,
    callback: pg_sys::MemoryContextCallback,
}

const _: () = assert!(align_of::<State>() <= pg_sys::MAXIMUM_ALIGNOF as usize);

/// # Safety
/// Called by the server, once, with a state that new_state() has made.
unsafe extern "C-unwind" fn drop_state(state: *mut std::ffi::c_void) {
    // SAFETY: as promised by the caller.
    unsafe { std::ptr::drop_in_place(&raw mut (*state.cast::<State>()).tally) };
}

/// # Safety
/// `call` is an aggregate's call; argument `place` is NULL or a state.
unsafe fn state<'a>(call: FunctionCallInfo, place: usize) -> Option<&'a mut Tally> {
    // SAFETY: as promised by the caller; states are used by one function at a time.
    unsafe { argument(call, place).map(|datum| &mut (*datum.cast_mut_ptr::<State>()).tally) }
}

/// # Safety
/// `context` is a live memory context.
unsafe fn new_state(context: pg_sys::MemoryContext, tally: Tally) -> Datum {
    // SAFETY: as promised by the caller. The server's allocator aligns for a State; the callback is in the memory that
    // it belongs to.
    unsafe {
        let state = pg_sys::MemoryContextAlloc(context, size_of::<State>()).cast::<State>();
        state.write(State {
            tally,
            callback: pg_sys::MemoryContextCallback {
                func: Some(drop_state),
                arg: state.cast(),
                next: std::ptr::null_mut(),
            },
        });
        pg_sys::MemoryContextRegisterResetCallback(context, &raw mut (*state).callback);
        Datum::from(state)
    }
}

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
        let entry = Row::read(|place| argument(call, place + 1)).seen();
        count_entry();
        match (state(call, 0), argument(call, 0)) {
            (Some(tally), Some(known)) => {
                tally.add(&entry);
                known
            }
            _ => {
                let word = |place| argument(call, place).map_or(0, |datum| datum.value() as u64);
                let mut tally = Tally::new((word(WIDTH + 1), word(WIDTH + 2)));
                tally.add(&entry);
                new_state(state_context(call), tally)
            }
        }
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
        match (argument(call, 0), state(call, 1)) {
            (known, None) => known.unwrap_or_else(|| {
                (*call).isnull = true;
                Datum::null()
            }),
            (Some(known), Some(other)) => {
                if let Some(one) = state(call, 0) {
                    one.join(other);
                }
                known
            }
            // The other one's memory does not last.
            (None, Some(other)) => {
                let mut tally = Tally::new((0, 0));
                tally.join(other);
                new_state(state_context(call), tally)
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
        let bytes = state(call, 0).map(|tally| tally.to_bytes());
        bytes.into_datum().unwrap_or(Datum::null())
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
            Some(tally) => new_state(pg_sys::CurrentMemoryContext, tally),
            None => raise(Error::NotInAnAggregate),
        }
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
