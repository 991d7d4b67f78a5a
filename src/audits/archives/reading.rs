//! Goes through archived entries, one segment in memory at a time.

use super::entry::ArchivedEntry;
use super::stored::{find_segments, read_segment, Scope, SegmentPlace, Span};
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

impl ArchivedEntries {
    fn open(&mut self, place: SegmentPlace) -> Result<(), Error> {
        check_for_interrupts();
        let Some(unpacked) = read_segment(place.id, true).and_then(|segment| segment.entries())
        else {
            return Ok(());
        };
        let entries = unpacked.map_err(|problem| Error::ArchiveDamaged {
            segment: place.id.to_string(),
            problem: problem.to_string(),
        })?;
        self.entries = entries.into_iter();
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
