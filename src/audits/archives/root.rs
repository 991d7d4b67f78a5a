//! The root of an RFC 6962 Merkle tree over leaves that come one after another.

use sha2::{Digest, Sha256};

use crate::audits::encoding::Hash;

/// The complete subtrees of the leaves so far, the largest first: as many as the count has bits.
#[derive(Default)]
pub struct GrowingRoot {
    subtrees: Vec<Hash>,
    leaves: u64,
}

impl GrowingRoot {
    /// Adds a leaf by its hash; signatures of the ledger are leaf hashes.
    pub fn push(&mut self, leaf_hash: Hash) {
        let mut hash = leaf_hash;
        for _ in 0..self.leaves.trailing_ones() {
            if let Some(left) = self.subtrees.pop() {
                hash = node(&left, &hash);
            }
        }
        self.subtrees.push(hash);
        self.leaves += 1;
    }

    /// The root of the tree over all leaves so far.
    pub fn root(&self) -> Hash {
        let mut subtrees = self.subtrees.iter().rev();
        match subtrees.next() {
            None => Sha256::digest([]).into(),
            Some(last) => subtrees.fold(*last, |right, left| node(left, &right)),
        }
    }
}

fn node(left: &Hash, right: &Hash) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update([1]);
    hasher.update(left);
    hasher.update(right);
    hasher.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As RFC 6962 defines it.
    fn defined(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => Sha256::digest([]).into(),
            [leaf] => *leaf,
            _ => {
                let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
                node(&defined(left), &defined(right))
            }
        }
    }

    #[test]
    fn it_is_the_root_of_rfc_6962_at_every_size() {
        let leaves: Vec<Hash> = (0..130_u8).map(|n| Sha256::digest([n]).into()).collect();
        let mut growing = GrowingRoot::default();
        for size in 0..=leaves.len() {
            assert_eq!(growing.root(), defined(&leaves[..size]), "{size}");
            if let Some(leaf) = leaves.get(size) {
                growing.push(*leaf);
            }
        }
    }
}
