//! What is known of a lane besides its entries, and whether a tally of them agrees.

use super::tally::{Tally, Times};
use crate::audits::chain::held::Head;

/// Where something is known of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    Checkpoint,
    Verification,
}

impl Source {
    pub fn name(self) -> &'static str {
        match self {
            Source::Checkpoint => "the last checkpoint",
            Source::Verification => "the last verification",
        }
    }
}

/// What audits.lanes has of a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// The last entry that has left for an archive; [`Head::NONE`] when none has.
    pub archived: Head,
    pub checkpointed: Option<Head>,
    pub verified: Option<Head>,
}

impl Known {
    /// Entries that must be there with the signature that is known, where they have not been archived.
    pub fn points(&self) -> impl Iterator<Item = (Source, Head)> + '_ {
        [
            (Source::Checkpoint, self.checkpointed),
            (Source::Verification, self.verified),
        ]
        .into_iter()
        .filter_map(|(source, head)| Some((source, head?)))
        .filter(|(_, head)| head.seq > self.archived.seq)
    }
}

/// What a tally says of a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass {
    /// It is intact, if known entries are what they were.
    Intact,
    /// It is, if besides its times rise.
    TimesUnknown,
    /// It needs to be walked along.
    Walk,
}

/// Judges a lane's entries; `start` is the entry that the first of them must continue.
pub fn judge(tally: &Tally, start: Head) -> Pass {
    let is_anchored = start.seq.checked_add(1) == Some(tally.first.seq)
        && tally.first.hash == start.signature
        && tally.first.ts > start.ts;
    match tally.times() {
        Times::Rise if is_anchored && tally.is_chain() => Pass::Intact,
        Times::Unknown if is_anchored && tally.is_chain() => Pass::TimesUnknown,
        _ => Pass::Walk,
    }
}
