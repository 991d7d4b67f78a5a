//! What PostgreSQL's versions call differently: the one place that asks which of them this is built for.

use std::ffi::c_int;

use pgrx::pg_sys;

/// The number that the transaction has in its backend, without an xid too.
#[cfg(any(feature = "pg15", feature = "pg16"))]
pub fn local_transaction() -> u32 {
    // SAFETY: looks at this backend's own state.
    unsafe { (*pg_sys::MyProc).lxid }
}

/// The number that the transaction has in its backend, without an xid too. 17 put it together with the backend's.
#[cfg(not(any(feature = "pg15", feature = "pg16")))]
pub fn local_transaction() -> u32 {
    // SAFETY: looks at this backend's own state.
    unsafe { (*pg_sys::MyProc).vxid.lxid }
}

/// The backend's number: small, and that of no other backend now.
#[cfg(any(feature = "pg15", feature = "pg16"))]
pub fn backend_number() -> i32 {
    // SAFETY: set once when the backend starts.
    unsafe { pg_sys::MyBackendId }
}

/// The backend's number: small, and that of no other backend now. 17 renamed it and counts from 0.
#[cfg(not(any(feature = "pg15", feature = "pg16")))]
pub fn backend_number() -> i32 {
    // SAFETY: set once when the backend starts.
    unsafe { pg_sys::MyProcNumber }
}

/// Has a signal handled by a function of the server's own.
///
/// # Safety
///
/// The handler must be one for signals, and this process in a state that it is made for.
#[cfg(any(feature = "pg15", feature = "pg16", feature = "pg17"))]
pub unsafe fn handle_signal(signal: c_int, handler: unsafe extern "C-unwind" fn(c_int)) {
    // SAFETY: as the caller promises.
    unsafe { pg_sys::pqsignal(signal, Some(handler)) };
}

/// Has a signal handled by a function of the server's own. 18 renamed what it calls for that.
///
/// # Safety
///
/// The handler must be one for signals, and this process in a state that it is made for.
#[cfg(not(any(feature = "pg15", feature = "pg16", feature = "pg17")))]
pub unsafe fn handle_signal(signal: c_int, handler: unsafe extern "C-unwind" fn(c_int)) {
    // SAFETY: as the caller promises.
    unsafe { pg_sys::pqsignal_be(signal, Some(handler)) };
}
