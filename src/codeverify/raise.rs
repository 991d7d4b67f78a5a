//! Raises [`Error`] with its own SQLSTATE.
//!
//! pgrx knows only PostgreSQL's own codes: an `ErrorReport` cannot carry class VC. But PostgreSQL
//! calls the error context callbacks while an error is being built, and a callback may still set
//! its code. So the error is raised the usual way (a panic that unwinds every Rust frame before
//! PostgreSQL takes over) with one callback on the stack that puts the code in.

use std::cell::{Cell, RefCell};
use std::ffi::{c_int, c_void};

use pgrx::pg_sys;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::{PgLogLevel, PgSqlErrorCode};

use super::errors::Error;

thread_local! {
    static PENDING_CODE: Cell<Option<c_int>> = const { Cell::new(None) };
    /// Code and message of the error that was raised last.
    static LAST: RefCell<Option<(c_int, String)>> = const { RefCell::new(None) };
}

extern "C-unwind" {
    fn errcode(sqlerrcode: c_int) -> c_int;
}

/// PostgreSQL's packing of a five-character SQLSTATE: six bits a character, first character lowest.
fn pack_sqlstate(code: &str) -> c_int {
    code.bytes()
        .enumerate()
        .map(|(place, byte)| (c_int::from(byte.wrapping_sub(b'0')) & 0x3f) << (6 * place))
        .sum()
}

unsafe extern "C-unwind" fn set_pending_code(_argument: *mut c_void) {
    if let Some(code) = PENDING_CODE.take() {
        // SAFETY: PostgreSQL runs this callback while it builds an error, where errcode() is allowed.
        unsafe { errcode(code) };
    }
}

/// Ends the function with `error`: its message, SQLSTATE, DETAIL and HINT.
pub fn raise(error: Error) -> ! {
    let code = pack_sqlstate(error.code());
    LAST.set(Some((code, error.to_string())));
    set_code_of_next(code);
    let mut report = ErrorReport::new(
        PgSqlErrorCode::ERRCODE_RAISE_EXCEPTION,
        error.to_string(),
        "codeverify",
    )
    .set_hint(error.hint());
    if let Some(detail) = error.detail() {
        report = report.set_detail(detail);
    }
    report.report(PgLogLevel::ERROR);
    unreachable!("an ERROR report does not return")
}

/// Tells the client of `error` as a warning, with its message, SQLSTATE, DETAIL and HINT, and goes on.
pub fn warn(error: &Error) {
    // SAFETY: reads and, below, puts back the head of a list of this single-threaded process.
    let context = unsafe { pg_sys::error_context_stack };
    set_code_of_next(pack_sqlstate(error.code()));
    let mut report = ErrorReport::new(
        PgSqlErrorCode::ERRCODE_WARNING,
        error.to_string(),
        "codeverify",
    )
    .set_hint(error.hint());
    if let Some(detail) = error.detail() {
        report = report.set_detail(detail);
    }
    report.report(PgLogLevel::WARNING);
    // Nobody has asked for it, when warnings go neither to the client nor into the log.
    PENDING_CODE.take();
    // SAFETY: as above; the callback has done its work.
    unsafe { pg_sys::error_context_stack = context };
}

/// The code of an error that was raised and that the server has not seen: whoever has caught it takes it, or the
/// next error would have it.
pub(super) fn take_pending_code() -> Option<c_int> {
    PENDING_CODE.take()
}

/// The code of the error that was raised last, if that is its message.
pub(super) fn code_of_last(message: &str) -> Option<c_int> {
    LAST.take()
        .and_then(|(code, raised)| (raised == message).then_some(code))
}

/// Gives the next error a code.
pub(super) fn set_code_of_next(code: c_int) {
    PENDING_CODE.set(Some(code));
    let callback = Box::leak(Box::new(pg_sys::ErrorContextCallback {
        // SAFETY: reading the head of the callback list of this single-threaded process.
        previous: unsafe { pg_sys::error_context_stack },
        callback: Some(set_pending_code),
        arg: std::ptr::null_mut(),
    }));
    // SAFETY: the callback lives for ever (leaked: a few bytes for each raised error), its `previous`
    // is a frame below the guard that reports the panic, and whoever catches the error puts its own
    // list back.
    unsafe { pg_sys::error_context_stack = callback };
}

/// `Ok`'s value, or the end of the function with the error.
pub fn or_raise<T>(result: Result<T, Error>) -> T {
    result.unwrap_or_else(|error| raise(error))
}
