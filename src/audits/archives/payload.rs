//! The jsonb that an archived payload's text stands for.

use std::ffi::CString;

use pgrx::pg_sys::{self, Datum};
use pgrx::{direct_function_call_as_datum, PgTryBuilder};

use super::entry::ArchivedEntry;
use crate::audits::encoding::Hash;

/// Reads JSON text into a jsonb in the current memory context; None when it is none, as damage may have it.
pub fn read_jsonb(text: &str) -> Option<Datum> {
    let text = CString::new(text).ok()?;
    PgTryBuilder::new(|| {
        // SAFETY: jsonb_in takes a C string. Its errors leave nothing behind: it opens no relation, takes no
        // lock and pins no page.
        unsafe {
            direct_function_call_as_datum(pg_sys::jsonb_in, &[Some(Datum::from(text.as_ptr()))])
        }
    })
    .catch_others(|_| None)
    .execute()
}

/// The content of a jsonb after its length.
pub fn jsonb_content<'a>(jsonb: Datum) -> &'a [u8] {
    // SAFETY: a plain jsonb in memory of ours, not compressed, which lives as long as the context it was
    // made in; callers look at it before that goes.
    unsafe {
        let value = jsonb.cast_mut_ptr::<pg_sys::varlena>();
        std::slice::from_raw_parts(
            pgrx::varlena::vardata_any(value).cast(),
            pgrx::varlena::varsize_any_exhdr(value),
        )
    }
}

/// The hash of an entry, computed from what is in the archive; None when it has none because its payload
/// cannot be read.
pub fn recomputed_hash(entry: &ArchivedEntry) -> Option<Hash> {
    let jsonb = read_jsonb(&entry.payload)?;
    let hash = entry.as_entry(jsonb_content(jsonb)).leaf_hash().ok();
    // SAFETY: made above, and no longer referred to.
    unsafe { pg_sys::pfree(jsonb.cast_mut_ptr()) };
    hash
}
