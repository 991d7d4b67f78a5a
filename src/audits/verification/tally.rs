//! What one pass over a lane's entries, in any order, keeps of them: enough to tell whether they are an
//! unbroken chain, in the same little memory however many they are.
//!
//! The entries are a chain when each place from the first to the last is taken once and each entry's
//! prev_hash is the signature of the one before. In other words: when the set of all (seq, signature)
//! without the last one's is the set of all (seq - 1, prev_hash) without the first one's. Two sums of keyed
//! hashes stand for the two sets; the key is random and of this run only, so nobody can make entries
//! that fool it.

use siphasher::sip128::{Hasher128, SipHasher24};
use std::hash::Hasher;

use crate::audits::encoding::{Hash, GENESIS};

/// How many separate runs of consecutive entries are told apart.
const RUNS: usize = 8;

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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    run_count: usize,
    /// In the order of their places, neighbours joined.
    runs: [Run; RUNS],
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
            run_count: 0,
            runs: [Run::default(); RUNS],
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
        if self.count == 0 {
            *self = *other;
            return;
        }
        if other.first.seq < self.first.seq {
            self.first = other.first;
        }
        if other.last.seq > self.last.seq {
            self.last = other.last;
        }
        self.count += other.count;
        self.altered += other.altered;
        self.signatures.join(other.signatures);
        self.predecessors.join(other.predecessors);
        self.falls |= other.falls;
        self.scattered |= other.scattered;
        for run in &other.runs[..other.run_count] {
            self.add_run(*run);
        }
    }

    fn add_run(&mut self, run: Run) {
        if self.scattered {
            return;
        }
        let runs = &self.runs[..self.run_count];
        let place = runs.partition_point(|known| known.last_seq < run.first_seq);
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
                let after = self.remove_run(place);
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
            (false, false) if self.run_count == RUNS => self.scattered = true,
            (false, false) => {
                self.runs.copy_within(place..self.run_count, place + 1);
                self.runs[place] = run;
                self.run_count += 1;
            }
        }
    }

    fn remove_run(&mut self, place: usize) -> Run {
        let run = self.runs[place];
        self.runs.copy_within(place + 1..self.run_count, place);
        self.run_count -= 1;
        run
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
    pub fn to_bytes(self) -> [u8; Tally::SIZE] {
        let mut bytes = [0; Tally::SIZE];
        let mut rest = bytes.as_mut_slice();
        let mut put = |value: &[u8]| {
            let (place, after) = std::mem::take(&mut rest).split_at_mut(value.len());
            place.copy_from_slice(value);
            rest = after;
        };
        for word in [self.key.0, self.key.1, self.count, self.altered] {
            put(&word.to_le_bytes());
        }
        for edge in [self.first, self.last] {
            put(&edge.seq.to_le_bytes());
            put(&edge.ts.to_le_bytes());
            put(&edge.hash);
        }
        for sum in [self.signatures, self.predecessors] {
            put(&sum.0[0].to_le_bytes());
            put(&sum.0[1].to_le_bytes());
        }
        put(&[
            u8::from(self.falls),
            u8::from(self.scattered),
            self.run_count as u8,
        ]);
        for run in self.runs {
            for word in [run.first_seq, run.last_seq, run.first_ts, run.last_ts] {
                put(&word.to_le_bytes());
            }
        }
        bytes
    }

    /// The number of bytes that a tally is passed on in.
    const SIZE: usize = 4 * 8 + 2 * (16 + 32) + 2 * 16 + 3 + RUNS * 32;

    /// What [`Tally::to_bytes`] made; None for anything else.
    pub fn from_bytes(bytes: &[u8]) -> Option<Tally> {
        if bytes.len() != Tally::SIZE {
            return None;
        }
        let mut rest = bytes;
        let mut take = |size: usize| {
            let (value, after) = rest.split_at_checked(size)?;
            rest = after;
            Some(value)
        };
        let mut word = || take(8)?.try_into().ok().map(u64::from_le_bytes);
        let mut tally = Tally::new((word()?, word()?));
        tally.count = word()?;
        tally.altered = word()?;
        for edge in [&mut tally.first, &mut tally.last] {
            edge.seq = take(8)?.try_into().ok().map(i64::from_le_bytes)?;
            edge.ts = take(8)?.try_into().ok().map(i64::from_le_bytes)?;
            edge.hash = take(32)?.try_into().ok()?;
        }
        let mut word = || take(8)?.try_into().ok().map(u64::from_le_bytes);
        tally.signatures = Sum([word()?, word()?]);
        tally.predecessors = Sum([word()?, word()?]);
        let [falls, scattered, run_count] = take(3)? else {
            return None;
        };
        tally.falls = *falls != 0;
        tally.scattered = *scattered != 0;
        tally.run_count = usize::from(*run_count).min(RUNS);
        let mut word = || take(8)?.try_into().ok().map(i64::from_le_bytes);
        for run in &mut tally.runs {
            *run = Run {
                first_seq: word()?,
                last_seq: word()?,
                first_ts: word()?,
                last_ts: word()?,
            };
        }
        Some(tally)
    }
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
            let mut shares = [Tally::new(KEY); 3];
            for (seq, worker) in order.iter().zip(workers) {
                shares[worker].add(&entry(*seq));
            }
            let mut whole = Tally::new(KEY);
            for share in &shares {
                whole.join(share);
            }
            prop_assert!(whole.is_chain());
            prop_assert_ne!(whole.times(), Times::Fall);
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
            prop_assume!(!same && !(field == 1 && seq == 1) && !(field == 2 && seq == 30));
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
