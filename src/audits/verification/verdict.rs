//! What verification says.

use std::fmt;

use crate::audits::chain::held::Ledger;

/// What is wrong with an entry, a lane or a checkpoint; the last two are legal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// The entry is not what its hash was made of, or was hashed anew.
    Altered,
    /// Entries between others, or before them, are gone.
    Missing,
    /// Entries at the end of a lane are gone.
    Truncated,
    /// Two entries have one place.
    Forked,
    /// The entry is in another lane, or in another partition, than it was made for.
    Misplaced,
    /// The entry is not where it was in its lane, or not later than the one before it.
    Reordered,
    /// The entry is not the one that has been verified or checkpointed at its place.
    HeadMismatch,
    /// A checkpoint does not hold what the ledger holds.
    CheckpointMismatch,
    /// The entries have left for an archive.
    Pruned,
    /// Personal fields of the entry have been erased.
    Erased,
}

impl Verdict {
    pub const ALL: [Verdict; 10] = [
        Verdict::Altered,
        Verdict::Missing,
        Verdict::Truncated,
        Verdict::Forked,
        Verdict::Misplaced,
        Verdict::Reordered,
        Verdict::HeadMismatch,
        Verdict::CheckpointMismatch,
        Verdict::Pruned,
        Verdict::Erased,
    ];

    /// As SQL sees it.
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Altered => "altered",
            Verdict::Missing => "missing",
            Verdict::Truncated => "truncated",
            Verdict::Forked => "forked",
            Verdict::Misplaced => "misplaced",
            Verdict::Reordered => "reordered",
            Verdict::HeadMismatch => "head_mismatch",
            Verdict::CheckpointMismatch => "checkpoint_mismatch",
            Verdict::Pruned => "pruned",
            Verdict::Erased => "erased",
        }
    }

    /// Whether the ledger may be so.
    pub fn is_legal(self) -> bool {
        matches!(self, Verdict::Pruned | Verdict::Erased)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// One line of the report. What does not apply is None.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub ledger: Ledger,
    pub lane: Option<i32>,
    pub seq: Option<i64>,
    pub id: Option<i64>,
    /// Microseconds since 1970-01-01 00:00 UTC.
    pub ts: Option<i64>,
    pub verdict: Verdict,
    pub detail: String,
}

/// Takes findings as they come.
pub trait Report {
    fn tell(&mut self, finding: Finding);
}

impl Report for Vec<Finding> {
    fn tell(&mut self, finding: Finding) {
        self.push(finding);
    }
}

/// Places in a lane, as in "entry 5" or "entries 5 to 9".
pub fn places(first: i64, last: i64) -> String {
    if first == last {
        format!("entry {first}")
    } else {
        format!("entries {first} to {last}")
    }
}
