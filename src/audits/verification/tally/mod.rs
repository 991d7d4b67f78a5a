//! What one pass over a lane's entries, in any order, keeps of them: enough to tell whether they are an
//! unbroken chain, in the same little memory however many they are.
//!
//! The entries are a chain when each place from the first to the last is taken once and each entry's
//! prev_hash is the signature of the one before. In other words: when the set of all (seq, signature)
//! without the last one's is the set of all (seq - 1, prev_hash) without the first one's. Two sums of keyed
//! hashes stand for the two sets; the key is random and of this run only, so nobody can make entries
//! that fool it.

mod bytes;
mod runs;
mod sum;

#[cfg(test)]
mod tests;

pub use self::runs::Times;
use self::runs::{Run, Runs};
pub use self::sum::{Key, Sum};
use crate::audits::encoding::{Hash, GENESIS};

/// The first or the last entry: its place, its time, and the hash by which it hangs on the next one that way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edge {
    pub seq: i64,
    pub ts: i64,
    pub hash: Hash,
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
    runs: Runs,
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
            runs: Runs::default(),
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
        self.runs.add(Run {
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
        self.runs.join(&other.runs);
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
        self.runs.times()
    }

    /// The sum of (seq, signature) of all entries.
    pub fn signatures(&self) -> Sum {
        self.signatures
    }
}
