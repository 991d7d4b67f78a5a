//! Sums of keyed hashes, which stand for sets.

use std::hash::Hasher;

use siphasher::sip128::{Hasher128, SipHasher24};

use crate::audits::encoding::Hash;

/// A key of the sums.
pub type Key = (u64, u64);

/// A sum of keyed hashes of (seq, hash) pairs, the same in whatever order they are added.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum(pub(super) [u64; 2]);

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

    pub(super) fn join(&mut self, other: Sum) {
        *self = Sum::of(self.value().wrapping_add(other.value()));
    }
}

fn digest(key: Key, seq: i64, hash: &Hash) -> u128 {
    let mut hasher = SipHasher24::new_with_keys(key.0, key.1);
    hasher.write(&seq.to_le_bytes());
    hasher.write(hash);
    hasher.finish128().as_u128()
}
