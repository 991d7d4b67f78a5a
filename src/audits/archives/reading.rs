//! Goes through archived entries, one segment in memory at a time.

use uuid::Uuid;

use super::entry::ArchivedEntry;
use super::stored::{find_segments, find_segments_with, read_segment, Scope, SegmentPlace, Span};
use crate::codeverify::errors::Error;
use crate::codeverify::interrupts::check_for_interrupts;

/// The archived entries of a scope and span. An error, where a segment is damaged, is the last item.
pub struct ArchivedEntries {
    span: Span,
    segments: std::vec::IntoIter<SegmentPlace>,
    entries: std::vec::IntoIter<ArchivedEntry>,
}

/// Opens the archives for reading. Segments that cannot have an entry of the span are not unpacked.
pub fn read(scope: Scope, span: Span) -> ArchivedEntries {
    let segments: Vec<SegmentPlace> = find_segments(scope)
        .into_iter()
        .filter(|segment| span.touches(segment.min_ts, segment.max_ts))
        .collect();
    ArchivedEntries {
        span,
        segments: segments.into_iter(),
        entries: Vec::new().into_iter(),
    }
}

/// The archived entry with an id, of one organization's ledger or of all; None when there is none, or it was pruned.
pub fn find(id: i64, organization: Option<Uuid>) -> Result<Option<ArchivedEntry>, Error> {
    for segment in find_segments_with(id, organization) {
        let found = unpack(segment)?.into_iter().find(|entry| entry.id == id);
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

/// The entries of a segment; none when it is gone, or was pruned.
fn unpack(segment: Uuid) -> Result<Vec<ArchivedEntry>, Error> {
    check_for_interrupts();
    let unpacked = read_segment(segment, true).and_then(|segment| segment.entries());
    unpacked
        .unwrap_or_else(|| Ok(Vec::new()))
        .map_err(|problem| Error::ArchiveDamaged {
            segment: segment.to_string(),
            problem: problem.to_string(),
        })
}

impl ArchivedEntries {
    fn open(&mut self, place: SegmentPlace) -> Result<(), Error> {
        self.entries = unpack(place.id)?.into_iter();
        Ok(())
    }
}

impl Iterator for ArchivedEntries {
    type Item = Result<ArchivedEntry, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let span = self.span;
            let in_span = |entry: &ArchivedEntry| span.contains(super::postgres_micros(entry.ts));
            if let Some(entry) = self.entries.by_ref().find(in_span) {
                return Some(Ok(entry));
            }
            let place = self.segments.next()?;
            if let Err(error) = self.open(place) {
                self.segments = Vec::new().into_iter();
                return Some(Err(error));
            }
        }
    }
}
