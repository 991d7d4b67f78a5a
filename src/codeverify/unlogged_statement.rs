//! Keeps the text of a statement out of the server's log while a function works that is given a secret: whoever writes
//! the secret into the statement, instead of binding it, would have the log keep it with any error or warning.
//!
//! PostgreSQL calls the error context callbacks while a message is being built, and a callback may still say what the log
//! is not to show of it. The message itself, with DETAIL and HINT, is logged as ever; what is hidden are the lines
//! STATEMENT and CONTEXT, which quotes the statements of functions. The client is told the context all the same.

use std::cell::UnsafeCell;
use std::ffi::c_void;
use std::ptr;

use pgrx::pg_sys;

thread_local! {
    /// One will do: it is never on the server's list twice.
    static CALLBACK: UnsafeCell<pg_sys::ErrorContextCallback> = const {
        UnsafeCell::new(pg_sys::ErrorContextCallback {
            previous: ptr::null_mut(),
            callback: Some(hide),
            arg: ptr::null_mut(),
        })
    };
}

unsafe extern "C-unwind" fn hide(_argument: *mut c_void) {
    // SAFETY: called while a message is being built, where both are allowed.
    unsafe {
        pg_sys::errhidestmt(true);
        pg_sys::errhidecontext(true);
    }
}

/// Until this is dropped, no message brings the statement into the log.
pub struct UnloggedStatement {
    is_first: bool,
}

impl UnloggedStatement {
    pub fn begin() -> UnloggedStatement {
        // SAFETY: the head of a list of this single-threaded process, whose elements live while they are on it. What
        // was on it when an error came is on it no more where the error was caught.
        unsafe {
            let own = CALLBACK.with(UnsafeCell::get);
            let mut listed = pg_sys::error_context_stack;
            while !listed.is_null() && listed != own {
                listed = (*listed).previous;
            }
            let is_first = listed.is_null();
            if is_first {
                (*own).previous = pg_sys::error_context_stack;
                pg_sys::error_context_stack = own;
            }
            UnloggedStatement { is_first }
        }
    }
}

impl Drop for UnloggedStatement {
    fn drop(&mut self) {
        // An error that unwinds is told to the server when all of Rust's frames are gone: it has to find the callback.
        // Whoever catches it puts its own list back.
        if self.is_first && !std::thread::panicking() {
            // SAFETY: what came onto the list after this has left it.
            unsafe { pg_sys::error_context_stack = (*CALLBACK.with(UnsafeCell::get)).previous };
        }
    }
}
