//! What one pass over a lane's entries, in any order, keeps of them: enough to tell whether they are an
//! unbroken chain, in the same little memory however many they are.
//!
//! The entries are a chain when each place from the first to the last is taken once and each entry's
//! prev_hash is the signature of the one before. In other words: when the set of all (seq, signature)
//! without the last one's is the set of all (seq - 1, prev_hash) without the first one's. Two sums of keyed
//! hashes stand for the two sets; the key is random and of this run only, so nobody can make entries
//! that fool it.

use siphasher::sip128::{Hasher128, SipHasher24};
use std::cell::Cell;
use std::hash::Hasher;

use crate::audits::encoding::{Hash, GENESIS};

/// How many runs of consecutive entries a process tells apart at a time, in all tallies together: 8 MB of them. Mostly
/// a lane is one run; parallel workers, who share a table in small pieces, see it in many.
const MOST_RUNS: usize = 1 << 18;

thread_local! {
    static RUNS: Cell<usize> = const { Cell::new(0) };
}

/// A key of the sums.
pub type Key = (u64, u64);

/// A sum of keyed hashes of (seq, hash) pairs, the same in whatever order they are added.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum([u64; 2]);

impl Sum {
    fn value(self) -> u128 {
        u128::from(self.0[0]) << 64 | u128::from(self.0[1])
    }

    fn of(value: u128) -> Sum {
        Sum([(value >> 64) as u64, value as u64])
    }

    /// Adds a pair.
    pub fn add(&mut self, key: Key, seq: i64, hash: &Hash) {
        *self = Sum::of(self.value().wrapping_add(digest(key, seq, hash)));
    }

    /// Takes a pair away.
    pub fn subtract(&mut self, key: Key, seq: i64, hash: &Hash) {
        *self = Sum::of(self.value().wrapping_sub(digest(key, seq, hash)));
    }

    /// What is left without another sum.
    pub fn without(self, other: Sum) -> Sum {
        Sum::of(self.value().wrapping_sub(other.value()))
    }

    fn join(&mut self, other: Sum) {
        *self = Sum::of(self.value().wrapping_add(other.value()));
    }
}

fn digest(key: Key, seq: i64, hash: &Hash) -> u128 {
    let mut hasher = SipHasher24::new_with_keys(key.0, key.1);
    hasher.write(&seq.to_le_bytes());
    hasher.write(hash);
    hasher.finish128().as_u128()
}

/// The first or the last entry: its place, its time, and the hash by which it hangs on the next one that way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edge {
    pub seq: i64,
    pub ts: i64,
    pub hash: Hash,
}

/// Consecutive entries whose times rise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Run {
    first_seq: i64,
    last_seq: i64,
    first_ts: i64,
    last_ts: i64,
}

/// An entry as the tally needs it.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    pub seq: i64,
    pub ts: i64,
    pub prev_hash: Hash,
    pub signature: Hash,
    /// Whether the signature is the entry's hash.
    pub is_intact: bool,
}

/// What is kept of a lane's entries.
#[derive(Debug, PartialEq, Eq)]
pub struct Tally {
    key: Key,
    pub count: u64,
    pub altered: u64,
    pub first: Edge,
    pub last: Edge,
    signatures: Sum,
    predecessors: Sum,
    /// Some entry is not later than the one before it.
    falls: bool,
    /// Entries came in too many pieces to compare all neighbours' times.
    scattered: bool,
    /// In the order of their places, neighbours joined.
    runs: Vec<Run>,
}

impl Drop for Tally {
    fn drop(&mut self) {
        self.forget_runs();
    }
}

/// Whether times rise from entry to entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Times {
    Rise,
    Fall,
    Unknown,
}

impl Tally {
    pub fn new(key: Key) -> Tally {
        let edge = Edge {
            seq: 0,
            ts: 0,
            hash: GENESIS,
        };
        Tally {
            key,
            count: 0,
            altered: 0,
            first: edge,
            last: edge,
            signatures: Sum::default(),
            predecessors: Sum::default(),
            falls: false,
            scattered: false,
            runs: Vec::new(),
        }
    }

    pub fn add(&mut self, entry: &Seen) {
        let first = Edge {
            seq: entry.seq,
            ts: entry.ts,
            hash: entry.prev_hash,
        };
        let last = Edge {
            hash: entry.signature,
            ..first
        };
        if self.count == 0 || first.seq < self.first.seq {
            self.first = first;
        }
        if self.count == 0 || last.seq > self.last.seq {
            self.last = last;
        }
        self.count += 1;
        self.altered += u64::from(!entry.is_intact);
        self.signatures.add(self.key, entry.seq, &entry.signature);
        self.predecessors
            .add(self.key, entry.seq.wrapping_sub(1), &entry.prev_hash);
        self.add_run(Run {
            first_seq: entry.seq,
            last_seq: entry.seq,
            first_ts: entry.ts,
            last_ts: entry.ts,
        });
    }

    /// Adds what another process has seen of the same lane.
    pub fn join(&mut self, other: &Tally) {
        if other.count == 0 {
            return;
        }
        self.key = other.key;
        if self.count == 0 || other.first.seq < self.first.seq {
            self.first = other.first;
        }
        if self.count == 0 || other.last.seq > self.last.seq {
            self.last = other.last;
        }
        self.count += other.count;
        self.altered += other.altered;
        self.signatures.join(other.signatures);
        self.predecessors.join(other.predecessors);
        self.falls |= other.falls;
        if other.scattered {
            self.scatter();
        }
        for run in &other.runs {
            self.add_run(*run);
        }
    }

    fn add_run(&mut self, run: Run) {
        if self.scattered {
            return;
        }
        let runs = &self.runs;
        let place = match runs.last() {
            Some(last) if last.last_seq < run.first_seq => runs.len(),
            _ => runs.partition_point(|known| known.last_seq < run.first_seq),
        };
        let before = place.checked_sub(1).map(|place| runs[place]);
        let after = runs.get(place).copied();
        let follows = before.is_some_and(|before| before.last_seq.wrapping_add(1) == run.first_seq);
        let precedes = after.is_some_and(|after| run.last_seq.wrapping_add(1) == after.first_seq);
        if let (true, Some(before)) = (follows, before) {
            self.falls |= run.first_ts <= before.last_ts;
        }
        if let (true, Some(after)) = (precedes, after) {
            self.falls |= after.first_ts <= run.last_ts;
        }
        match (follows, precedes) {
            (true, true) => {
                let after = self.runs.remove(place);
                RUNS.set(RUNS.get() - 1);
                let before = &mut self.runs[place - 1];
                (before.last_seq, before.last_ts) = (after.last_seq, after.last_ts);
            }
            (true, false) => {
                let before = &mut self.runs[place - 1];
                (before.last_seq, before.last_ts) = (run.last_seq, run.last_ts);
            }
            (false, true) => {
                let after = &mut self.runs[place];
                (after.first_seq, after.first_ts) = (run.first_seq, run.first_ts);
            }
            (false, false) if RUNS.get() >= MOST_RUNS => self.scatter(),
            (false, false) => {
                self.runs.insert(place, run);
                RUNS.set(RUNS.get() + 1);
            }
        }
    }

    /// Gives up comparing times.
    fn scatter(&mut self) {
        self.scattered = true;
        self.forget_runs();
    }

    fn forget_runs(&mut self) {
        RUNS.set(RUNS.get() - self.runs.len());
        self.runs = Vec::new();
    }

    /// Whether the entries are what their hashes say and hang together from the first to the last.
    pub fn is_chain(&self) -> bool {
        let (mut before, mut after) = (self.signatures, self.predecessors);
        before.subtract(self.key, self.last.seq, &self.last.hash);
        after.subtract(self.key, self.first.seq.wrapping_sub(1), &self.first.hash);
        let places = i128::from(self.last.seq) - i128::from(self.first.seq) + 1;
        self.altered == 0 && i128::from(self.count) == places && before == after
    }

    /// Whether the times of a chain's entries rise.
    pub fn times(&self) -> Times {
        match (self.falls, self.scattered) {
            (true, _) => Times::Fall,
            (false, true) => Times::Unknown,
            (false, false) => Times::Rise,
        }
    }

    /// The sum of (seq, signature) of all entries.
    pub fn signatures(&self) -> Sum {
        self.signatures
    }

    /// For another process of the same server.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(Tally::HEAD + self.runs.len() * Tally::RUN);
        for word in [self.key.0, self.key.1, self.count, self.altered] {
            bytes.extend(word.to_le_bytes());
        }
        for edge in [self.first, self.last] {
            bytes.extend(edge.seq.to_le_bytes());
            bytes.extend(edge.ts.to_le_bytes());
            bytes.extend(edge.hash);
        }
        for word in [self.signatures, self.predecessors]
            .map(|sum| sum.0)
            .concat()
        {
            bytes.extend(word.to_le_bytes());
        }
        bytes.extend([u8::from(self.falls), u8::from(self.scattered)]);
        for run in &self.runs {
            for word in [run.first_seq, run.last_seq, run.first_ts, run.last_ts] {
                bytes.extend(word.to_le_bytes());
            }
        }
        bytes
    }

    /// Bytes that come before the runs, and of each run.
    const HEAD: usize = 4 * 8 + 2 * (16 + 32) + 2 * 16 + 2;
    const RUN: usize = 4 * 8;

    /// What [`Tally::to_bytes`] made; None for anything else.
    pub fn from_bytes(bytes: &[u8]) -> Option<Tally> {
        let (mut head, runs) = bytes.split_at_checked(Tally::HEAD)?;
        let (runs, []) = runs.as_chunks::<{ Tally::RUN }>() else {
            return None;
        };
        let head = &mut head;
        let mut tally = Tally::new((word(head)?, word(head)?));
        tally.count = word(head)?;
        tally.altered = word(head)?;
        for edge in [&mut tally.first, &mut tally.last] {
            edge.seq = word(head)? as i64;
            edge.ts = word(head)? as i64;
            edge.hash = *head.split_off(..32)?.first_chunk()?;
        }
        tally.signatures = Sum([word(head)?, word(head)?]);
        tally.predecessors = Sum([word(head)?, word(head)?]);
        tally.falls = *head.split_off_first()? != 0;
        tally.scattered = *head.split_off_first()? != 0;
        for run in runs {
            let run = &mut run.as_slice();
            tally.add_run(Run {
                first_seq: word(run)? as i64,
                last_seq: word(run)? as i64,
                first_ts: word(run)? as i64,
                last_ts: word(run)? as i64,
            });
        }
        Some(tally)
    }
}

/// Takes a word off the front of bytes.
fn word(bytes: &mut &[u8]) -> Option<u64> {
    let word = bytes.split_off(..8)?.first_chunk()?;
    Some(u64::from_le_bytes(*word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KEY: Key = (7, 11);

    fn hash(seq: i64) -> Hash {
        let mut hash = GENESIS;
        hash[..8].copy_from_slice(&seq.to_be_bytes());
        hash
    }

    fn entry(seq: i64) -> Seen {
        Seen {
            seq,
            ts: seq * 10,
            prev_hash: hash(seq - 1),
            signature: hash(seq),
            is_intact: true,
        }
    }

    fn tally(entries: impl IntoIterator<Item = Seen>) -> Tally {
        let mut tally = Tally::new(KEY);
        for entry in entries {
            tally.add(&entry);
        }
        tally
    }

    #[test]
    fn a_chain_is_one() {
        let tally = tally((1..=9).map(entry));
        assert!(tally.is_chain());
        assert_eq!(tally.times(), Times::Rise);
        assert_eq!((tally.first.seq, tally.last.seq), (1, 9));
        assert_eq!((tally.first.hash, tally.last.hash), (hash(0), hash(9)));
    }

    #[test]
    fn gaps_forks_and_altered_entries_are_none() {
        assert!(!tally((1..=9).filter(|seq| *seq != 4).map(entry)).is_chain());
        assert!(!tally((1..=9).chain([4]).map(entry)).is_chain());
        assert!(!tally((1..=9).filter(|seq| *seq != 4).chain([5]).map(entry)).is_chain());
        let altered = |seq| Seen {
            is_intact: seq != 4,
            ..entry(seq)
        };
        assert!(!tally((1..=9).map(altered)).is_chain());
    }

    #[test]
    fn a_link_to_something_else_is_none() {
        let unlinked = |seq| Seen {
            prev_hash: hash(if seq == 4 { 100 } else { seq - 1 }),
            ..entry(seq)
        };
        assert!(!tally((1..=9).map(unlinked)).is_chain());
    }

    #[test]
    fn a_clock_that_goes_back_is_seen() {
        let falling = |seq| Seen {
            ts: if seq == 4 { 30 } else { seq * 10 },
            ..entry(seq)
        };
        let tally = tally((1..=9).map(falling));
        assert!(tally.is_chain());
        assert_eq!(tally.times(), Times::Fall);
    }

    #[test]
    fn extreme_places_do_not_overflow() {
        let mut last = entry(1);
        last.seq = i64::MAX;
        assert!(!tally([entry(1), last, last]).is_chain());
        last.seq = i64::MIN;
        assert!(!tally([entry(1), last, last]).is_chain());
    }

    #[test]
    fn too_many_pieces_are_not_compared() {
        let mut scattered = tally((1..=100).rev().step_by(2).map(entry));
        assert_eq!(scattered.times(), Times::Rise);
        let in_use = RUNS.replace(MOST_RUNS);
        scattered.add(&entry(1001));
        RUNS.set(in_use - 50);
        assert_eq!(scattered.times(), Times::Unknown);
        assert_eq!(
            Tally::from_bytes(&scattered.to_bytes()).map(|tally| tally.times()),
            Some(Times::Unknown)
        );
    }

    #[test]
    fn runs_are_counted_while_they_are_held() {
        let before = RUNS.get();
        let held = tally([1, 3, 5, 7].map(entry));
        assert_eq!(RUNS.get(), before + 4);
        drop(held);
        assert_eq!(RUNS.get(), before);
        let joined = tally([1, 3, 2].map(entry));
        assert_eq!(RUNS.get(), before + 1);
        drop(joined);
    }

    #[test]
    fn bytes_round_trip() {
        let tally = tally([1, 2, 3, 7, 9].map(entry));
        assert_eq!(Tally::from_bytes(&tally.to_bytes()), Some(tally));
        assert_eq!(Tally::from_bytes(&[]), None);
    }

    proptest! {
        /// In whatever order and by however many processes they are seen.
        #[test]
        fn order_and_sharing_do_not_matter(
            order in Just((1..=60i64).collect::<Vec<_>>()).prop_shuffle(),
            workers in prop::collection::vec(0usize..3, 60),
        ) {
            let mut shares = std::array::from_fn::<_, 3, _>(|_| Tally::new(KEY));
            for (seq, worker) in order.iter().zip(workers) {
                shares[worker].add(&entry(*seq));
            }
            let mut whole = Tally::new(KEY);
            for share in &shares {
                whole.join(share);
            }
            prop_assert!(whole.is_chain());
            prop_assert_eq!(whole.times(), Times::Rise);
            let straight = tally((1..=60).map(entry));
            prop_assert_eq!(whole.signatures(), straight.signatures());
            prop_assert_eq!((whole.first, whole.last), (straight.first, straight.last));
        }

        /// A change to one entry's place or hashes is never a chain.
        #[test]
        fn one_wrong_entry_is_found(seq in 1..=30i64, field in 0..3, value in 0..1000i64) {
            let change = |mut entry: Seen| {
                if entry.seq == seq {
                    match field {
                        0 => entry.seq = value,
                        1 => entry.prev_hash = hash(value),
                        _ => entry.signature = hash(value),
                    }
                }
                entry
            };
            let same = match field {
                0 | 2 => value == seq,
                _ => value == seq - 1,
            };
            // At the ends there is nothing within the lane to compare with.
            let is_end = (field == 1 && seq == 1) || (field == 2 && seq == 30);
            prop_assume!(!same);
            prop_assume!(!is_end);
            prop_assert!(!tally((1..=30).map(entry).map(change)).is_chain());
        }

        /// Where few pieces are out of order, times are compared exactly.
        #[test]
        fn a_fall_is_found_in_any_rotation(start in 0..30usize, seq in 2..=30i64) {
            let mut entries: Vec<Seen> = (1..=30).map(entry).collect();
            entries[seq as usize - 1].ts = (seq - 1) * 10;
            entries.rotate_left(start);
            prop_assert_eq!(tally(entries).times(), Times::Fall);
        }
    }
}
