//! Walks along a lane, entry by entry, and names what is wrong.

use super::known::Source;
use super::verdict::{places, Finding, Report, Verdict};
use crate::audits::chain::held::{Head, Ledger};
use crate::audits::encoding::Hash;

/// An entry as it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    pub seq: i64,
    pub id: i64,
    pub ts: i64,
    /// None when it is no hash.
    pub prev_hash: Option<Hash>,
    pub signature: Option<Hash>,
    /// The hash of what is stored; None when that cannot be read.
    pub computed: Option<Hash>,
}

impl Entry {
    pub fn is_intact(&self) -> bool {
        self.computed.is_some() && self.computed == self.signature
    }

    fn head(&self) -> Option<Head> {
        Some(Head {
            seq: self.seq,
            signature: self.signature?,
            ts: self.ts,
        })
    }
}

/// An entry that fits its own hash and yet not the one before it: which of the two is at fault is told by
/// where its prev_hash comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Break {
    pub before: Entry,
    pub entry: Entry,
}

/// What a walk leaves to be looked into.
pub trait Doubts {
    /// The entry is not what its hash was made of. Where that has been told of already, it only remains to be
    /// seen where the entry has come from.
    fn altered(&mut self, entry: &Entry, is_told: bool);
    /// Neither of two neighbours is altered, but they do not fit.
    fn broken(&mut self, between: Break);
}

/// A walk along one lane; entries come in the order of their places.
pub struct Walk {
    ledger: Ledger,
    lane: i32,
    /// The last entry that has been settled; None when its signature cannot be read.
    last: Option<Head>,
    /// The same as an entry; None at the start.
    last_entry: Option<Entry>,
    /// The place of that entry, or of what the lane's first entry continues.
    place: i64,
    /// What the next place has so far.
    pending: Option<Entry>,
    points: Vec<(Source, Head)>,
    pub entries: u64,
    pub faults: u64,
}

impl Walk {
    /// `start` is what the first entry must continue; `points` are entries that are known.
    pub fn new(
        ledger: Ledger,
        lane: i32,
        start: Head,
        points: impl IntoIterator<Item = (Source, Head)>,
    ) -> Walk {
        Walk {
            ledger,
            lane,
            last: Some(start),
            last_entry: None,
            place: start.seq,
            pending: None,
            points: points.into_iter().collect(),
            entries: 0,
            faults: 0,
        }
    }

    pub fn step(&mut self, entry: Entry, report: &mut dyn Report, doubts: &mut dyn Doubts) {
        self.entries += 1;
        if entry.seq <= self.place && self.last_entry.is_none() {
            self.tell(
                report,
                &entry,
                Verdict::Forked,
                "the archive has the entry of this place".into(),
            );
            return;
        }
        match self.pending {
            Some(pending) if pending.seq == entry.seq => {
                // The one that the chain goes through stays; the other is too many.
                let (kept, other) = if self.fits(&pending) >= self.fits(&entry) {
                    (pending, entry)
                } else {
                    (entry, pending)
                };
                self.pending = Some(kept);
                let detail = format!("entry {} of this place has id {}", kept.seq, kept.id);
                self.tell(report, &other, Verdict::Forked, detail);
                if !other.is_intact() {
                    doubts.altered(&other, true);
                }
            }
            Some(pending) => {
                self.settle(pending, report, doubts);
                self.pending = Some(entry);
            }
            None => self.pending = Some(entry),
        }
    }

    /// How well an entry continues what is before it.
    fn fits(&self, entry: &Entry) -> (bool, bool, bool) {
        let known = self
            .points
            .iter()
            .any(|(_, head)| head.seq == entry.seq && Some(head.signature) == entry.signature);
        let linked = self.last.is_some_and(|last| {
            last.seq + 1 == entry.seq && Some(last.signature) == entry.prev_hash
        });
        (entry.is_intact(), known, linked)
    }

    fn settle(&mut self, entry: Entry, report: &mut dyn Report, doubts: &mut dyn Doubts) {
        let (last, last_entry) = (self.last, self.last_entry);
        if entry.seq > self.place.saturating_add(1) {
            self.tell_gone(report, self.place + 1, entry.seq - 1, Verdict::Missing, "");
        } else if entry.is_intact() {
            if let Some(last) = last.filter(|last| Some(last.signature) != entry.prev_hash) {
                match last_entry {
                    Some(before) if before.is_intact() => {
                        self.faults += 1;
                        doubts.broken(Break { before, entry });
                    }
                    // That one has been told of.
                    Some(_) => {}
                    None if last.seq == 0 => {
                        let detail = "a lane's first entry has no other before it, but its prev_hash is not zero";
                        self.tell(report, &entry, Verdict::Altered, detail.into());
                    }
                    None => {
                        let detail = format!(
                            "it does not continue entry {}, which is known from before",
                            last.seq
                        );
                        self.tell(report, &entry, Verdict::HeadMismatch, detail);
                    }
                }
            }
            let is_last_right = last_entry.is_none_or(|before| before.is_intact());
            if is_last_right && last.is_some_and(|last| entry.ts <= last.ts) {
                let detail = format!("it is not later than entry {}", self.place);
                self.tell(report, &entry, Verdict::Reordered, detail);
            }
        }
        if !entry.is_intact() {
            self.faults += 1;
            doubts.altered(&entry, false);
        }
        let differing: Vec<Source> = self
            .points
            .iter()
            .filter(|(_, head)| head.seq == entry.seq && Some(head.signature) != entry.signature)
            .map(|(source, _)| *source)
            .collect();
        for source in differing {
            let detail = format!("{} had an entry with another signature here", source.name());
            self.tell(report, &entry, Verdict::HeadMismatch, detail);
        }
        self.last = entry.head();
        self.last_entry = Some(entry);
        self.place = entry.seq;
    }

    /// The lane has no more entries. Returns the last one, if its signature can be read.
    pub fn finish(&mut self, report: &mut dyn Report, doubts: &mut dyn Doubts) -> Option<Head> {
        if let Some(pending) = self.pending.take() {
            self.settle(pending, report, doubts);
        }
        let end = self.points.iter().copied().max_by_key(|(_, head)| head.seq);
        if let Some((source, head)) = end.filter(|(_, head)| head.seq > self.place) {
            let detail = format!(": {} had them", source.name());
            self.tell_gone(
                report,
                self.place + 1,
                head.seq,
                Verdict::Truncated,
                &detail,
            );
        }
        self.last
    }

    /// The place of the last entry.
    pub fn place(&self) -> i64 {
        self.place
    }

    fn tell(&mut self, report: &mut dyn Report, entry: &Entry, verdict: Verdict, detail: String) {
        self.faults += 1;
        report.tell(Finding {
            ledger: self.ledger,
            lane: Some(self.lane),
            seq: Some(entry.seq),
            id: Some(entry.id),
            ts: Some(entry.ts),
            verdict,
            detail,
        });
    }

    /// Entries that are not there: the first of them is named.
    pub fn tell_gone(
        &mut self,
        report: &mut dyn Report,
        first: i64,
        last: i64,
        verdict: Verdict,
        how_known: &str,
    ) {
        self.faults += 1;
        let are = if first == last { "is" } else { "are" };
        report.tell(Finding {
            ledger: self.ledger,
            lane: Some(self.lane),
            seq: Some(first),
            id: None,
            ts: None,
            verdict,
            detail: format!("{} {are} not there{how_known}", places(first, last)),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audits::encoding::GENESIS;

    #[derive(Default)]
    struct Doubted {
        altered: Vec<i64>,
        broken: Vec<(i64, i64)>,
    }

    impl Doubts for Doubted {
        fn altered(&mut self, entry: &Entry, is_told: bool) {
            if !is_told {
                self.altered.push(entry.seq);
            }
        }

        fn broken(&mut self, between: Break) {
            self.broken.push((between.before.seq, between.entry.seq));
        }
    }

    fn hash(seq: i64) -> Hash {
        let mut hash = GENESIS;
        hash[..8].copy_from_slice(&seq.to_be_bytes());
        hash
    }

    fn entry(seq: i64) -> Entry {
        Entry {
            seq,
            id: 1000 + seq,
            ts: seq * 10,
            prev_hash: Some(hash(seq - 1)),
            signature: Some(hash(seq)),
            computed: Some(hash(seq)),
        }
    }

    fn head(seq: i64) -> Head {
        Head {
            seq,
            signature: hash(seq),
            ts: seq * 10,
        }
    }

    fn walk(
        entries: impl IntoIterator<Item = Entry>,
        start: Head,
        points: &[Head],
    ) -> (Vec<(i64, Verdict)>, Doubted) {
        let points = points.iter().map(|head| (Source::Checkpoint, *head));
        let mut walk = Walk::new(None, 3, start, points);
        let (mut report, mut doubts) = (Vec::new(), Doubted::default());
        for entry in entries {
            walk.step(entry, &mut report, &mut doubts);
        }
        walk.finish(&mut report, &mut doubts);
        let found = report.iter().map(|f| (f.seq.unwrap_or(-1), f.verdict));
        (found.collect(), doubts)
    }

    fn verdicts(entries: impl IntoIterator<Item = Entry>) -> Vec<(i64, Verdict)> {
        walk(entries, Head::NONE, &[]).0
    }

    #[test]
    fn an_intact_lane_says_nothing() {
        let (found, doubts) = walk((1..=9).map(entry), Head::NONE, &[head(4), head(9)]);
        assert!(found.is_empty() && doubts.altered.is_empty() && doubts.broken.is_empty());
        assert!(walk((5..=9).map(entry), head(4), &[head(9)]).0.is_empty());
    }

    #[test]
    fn gaps_are_told_once() {
        let gap = (1..=9).filter(|seq| !(4..=6).contains(seq)).map(entry);
        assert_eq!(verdicts(gap), [(4, Verdict::Missing)]);
        assert_eq!(verdicts((3..=5).map(entry)), [(1, Verdict::Missing)]);
    }

    #[test]
    fn a_lane_that_ends_too_early_is_truncated() {
        let (found, _) = walk((1..=5).map(entry), Head::NONE, &[head(9), head(7)]);
        assert_eq!(found, [(6, Verdict::Truncated)]);
        assert_eq!(
            walk([], Head::NONE, &[head(9)]).0,
            [(1, Verdict::Truncated)]
        );
    }

    #[test]
    fn of_two_at_one_place_the_one_that_fits_stays() {
        let other = Entry {
            id: 77,
            prev_hash: Some(hash(50)),
            signature: Some(hash(60)),
            computed: Some(hash(60)),
            ..entry(4)
        };
        for pair in [[entry(4), other], [other, entry(4)]] {
            let entries = (1..=3).map(entry).chain(pair).chain((5..=6).map(entry));
            assert_eq!(verdicts(entries), [(4, Verdict::Forked)]);
        }
    }

    #[test]
    fn what_the_archive_has_is_not_in_the_table() {
        assert_eq!(
            walk((3..=9).map(entry), head(4), &[]).0,
            [(3, Verdict::Forked), (4, Verdict::Forked)]
        );
    }

    #[test]
    fn an_altered_entry_does_not_make_its_neighbours_suspect() {
        let altered = |seq| Entry {
            computed: if seq == 4 {
                Some(hash(99))
            } else {
                Some(hash(seq))
            },
            ..entry(seq)
        };
        let (found, doubts) = walk((1..=9).map(altered), Head::NONE, &[]);
        assert!(found.is_empty() && doubts.broken.is_empty());
        assert_eq!(doubts.altered, [4]);
    }

    #[test]
    fn an_entry_that_was_hashed_anew_is_told_by_its_successor() {
        let hashed_anew = |seq| Entry {
            signature: Some(hash(if seq == 4 { 99 } else { seq })),
            computed: Some(hash(if seq == 4 { 99 } else { seq })),
            ..entry(seq)
        };
        let (found, doubts) = walk((1..=9).map(hashed_anew), Head::NONE, &[]);
        assert!(found.is_empty() && doubts.altered.is_empty());
        assert_eq!(doubts.broken, [(4, 5)]);
    }

    #[test]
    fn time_does_not_go_back() {
        let back = |seq| Entry {
            ts: if seq == 4 { 30 } else { seq * 10 },
            ..entry(seq)
        };
        assert_eq!(verdicts((1..=9).map(back)), [(4, Verdict::Reordered)]);
    }

    #[test]
    fn known_entries_keep_their_signatures() {
        let other = Head {
            signature: hash(99),
            ..head(4)
        };
        let (found, _) = walk((1..=9).map(entry), Head::NONE, &[other]);
        assert_eq!(found, [(4, Verdict::HeadMismatch)]);
    }

    #[test]
    fn the_first_entry_continues_what_is_known() {
        let unlinked = |seq| Entry {
            prev_hash: Some(hash(if seq == 5 { 99 } else { seq - 1 })),
            ..entry(seq)
        };
        let (found, _) = walk((5..=9).map(unlinked), head(4), &[]);
        assert_eq!(found, [(5, Verdict::HeadMismatch)]);
        let first = Entry {
            prev_hash: Some(hash(50)),
            ..entry(1)
        };
        assert_eq!(verdicts([first]), [(1, Verdict::Altered)]);
    }
}
