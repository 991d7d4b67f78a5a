//! Arguments of functions that are written against the server's own interface.

use pgrx::pg_sys::{Datum, FunctionCallInfo};
use uuid::Uuid;

use crate::codeverify::jsonb;

/// # Safety
/// `call` is the call of a function with arguments, at least so many.
pub(super) unsafe fn argument(call: FunctionCallInfo, place: usize) -> Option<Datum> {
    // SAFETY: as promised by the caller.
    let argument = unsafe { *(*call).args.as_ptr().add(place) };
    (!argument.isnull).then_some(argument.value)
}

/// # Safety
/// The argument is a uuid.
pub(super) unsafe fn uuid(call: FunctionCallInfo, place: usize) -> Option<Uuid> {
    // SAFETY: a uuid is 16 bytes behind a pointer.
    unsafe { argument(call, place).map(|id| Uuid::from_bytes(*id.cast_mut_ptr::<[u8; 16]>())) }
}

/// # Safety
/// The argument is a text.
pub(super) unsafe fn text(call: FunctionCallInfo, place: usize) -> Option<String> {
    // SAFETY: as promised by the caller; texts are UTF-8, which bootstrap.sql has made sure of.
    unsafe {
        argument(call, place)
            .map(|text| String::from_utf8_lossy(jsonb::content_of(text)).into_owned())
    }
}
