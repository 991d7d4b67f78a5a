//! The hash of an archived entry, from the jsonb that its payload's text stands for.

use super::entry::ArchivedEntry;
use crate::audits::encoding::Hash;
use crate::codeverify::jsonb::{content_of, from_text};
use crate::codeverify::memory::in_scratch_memory;

/// The hash of an entry, computed from what is in the archive; None when it has none because its payload
/// cannot be read.
pub fn recomputed_hash(entry: &ArchivedEntry) -> Option<Hash> {
    in_scratch_memory(|| {
        let jsonb = from_text(&entry.payload)?;
        // SAFETY: made above, in memory that is freed after the hash is there.
        let content = unsafe { content_of(jsonb) };
        entry.as_entry(content).leaf_hash().ok()
    })
}
