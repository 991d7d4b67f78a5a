//! The arithmetic of RFC 6962's Merkle trees.

use sha2::{Digest, Sha256};

pub use crate::audits::encoding::Hash;

/// Length of a hash in bytes.
pub const HASH_SIZE: usize = 32;

/// The root of a tree without leaves: the SHA-256 of nothing.
pub const EMPTY_ROOT: Hash = [
    0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24,
    0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
];

/// The hash of a leaf with this content.
pub fn hash_leaf(content: &[u8]) -> Hash {
    Sha256::new()
        .chain_update([0])
        .chain_update(content)
        .finalize()
        .into()
}

/// The hash of the node above two others.
pub fn hash_children(left: &Hash, right: &Hash) -> Hash {
    Sha256::new()
        .chain_update([1])
        .chain_update(left)
        .chain_update(right)
        .finalize()
        .into()
}

/// The root of a full subtree, from the hashes of one height; their number is a power of two.
pub fn root_of_full(hashes: &[Hash]) -> Hash {
    match hashes {
        [] => EMPTY_ROOT,
        [only] => *only,
        _ => {
            let (left, right) = hashes.split_at(hashes.len() / 2);
            hash_children(&root_of_full(left), &root_of_full(right))
        }
    }
}

/// The root of a full subtree: the leaves from `index << height`, `1 << height` of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Node {
    pub height: u32,
    pub index: u64,
}

/// Consecutive leaves, up to but not including `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leaves {
    pub start: u64,
    pub end: u64,
}

impl Leaves {
    /// The whole of a tree.
    pub fn all(tree_size: u64) -> Leaves {
        Leaves {
            start: 0,
            end: tree_size,
        }
    }

    /// How many there are.
    pub fn count(self) -> u64 {
        self.end - self.start
    }

    /// The two sides that RFC 6962 hashes a tree of two or more leaves from: the left one is the largest
    /// full subtree that leaves something to the right.
    pub fn split(self) -> (Leaves, Leaves) {
        let largest = 1u64 << (u64::BITS - 1 - (self.count() - 1).leading_zeros());
        let middle = self.start + largest;
        (
            Leaves {
                end: middle,
                ..self
            },
            Leaves {
                start: middle,
                ..self
            },
        )
    }

    /// The full subtrees that these leaves, a subtree themselves, are made of, from left to right.
    pub fn nodes(self) -> Vec<Node> {
        let mut nodes = Vec::new();
        let mut start = self.start;
        while start < self.end {
            let height = (self.end - start).ilog2();
            nodes.push(Node {
                height,
                index: start >> height,
            });
            start += 1 << height;
        }
        nodes
    }

    /// Their root, from those of the full subtrees in it.
    pub fn root<E>(self, mut hash_of: impl FnMut(Node) -> Result<Hash, E>) -> Result<Hash, E> {
        let hashes = self
            .nodes()
            .into_iter()
            .map(&mut hash_of)
            .collect::<Result<Vec<Hash>, E>>()?;
        Ok(hashes
            .into_iter()
            .rev()
            .reduce(|right, left| hash_children(&left, &right))
            .unwrap_or(EMPTY_ROOT))
    }
}

/// A tree of which only the right edge is kept: one full subtree for each bit of its size.
#[derive(Clone, Debug, Default)]
pub struct Edge {
    size: u64,
    /// From left to right, so from the largest to the smallest.
    subtrees: Vec<Hash>,
}

impl Edge {
    /// Leaves so far.
    #[cfg(test)]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Puts a leaf to the right.
    pub fn push(&mut self, leaf: Hash) {
        let mut hash = leaf;
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.subtrees.pop() {
                hash = hash_children(&left, &hash);
            }
        }
        self.subtrees.push(hash);
        self.size += 1;
    }

    /// The root of the leaves so far.
    pub fn root(&self) -> Hash {
        self.subtrees
            .iter()
            .rev()
            .copied()
            .reduce(|right, left| hash_children(&left, &right))
            .unwrap_or(EMPTY_ROOT)
    }
}

#[cfg(test)]
pub mod reference {
    //! The eight leaves that Certificate Transparency publishes its vectors for, and the definitions
    //! of RFC 6962, section 2.1, word for word.

    use super::*;

    pub const LEAVES: [&str; 8] = [
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    ];

    /// The roots of the first 0 to 8 of them.
    pub const ROOTS: [&str; 9] = [
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];

    pub fn hash(digits: &str) -> Hash {
        hex::decode(digits)
            .expect("hex digits")
            .try_into()
            .expect("a hash")
    }

    pub fn leaf_hashes() -> Vec<Hash> {
        LEAVES
            .iter()
            .map(|digits| hash_leaf(&hex::decode(digits).expect("hex digits")))
            .collect()
    }

    pub fn root(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => EMPTY_ROOT,
            [only] => *only,
            _ => {
                let (left, right) = leaves.split_at(split(leaves.len()));
                hash_children(&root(left), &root(right))
            }
        }
    }

    /// PATH(m, D[n]).
    pub fn path(index: usize, leaves: &[Hash]) -> Vec<Hash> {
        if leaves.len() == 1 {
            return Vec::new();
        }
        let (left, right) = leaves.split_at(split(leaves.len()));
        let (mut path, sibling) = if index < left.len() {
            (path(index, left), right)
        } else {
            (path(index - left.len(), right), left)
        };
        path.push(root(sibling));
        path
    }

    /// SUBPROOF(m, D[n], b).
    pub fn subproof(old_size: usize, leaves: &[Hash], is_known: bool) -> Vec<Hash> {
        if old_size == leaves.len() {
            return if is_known {
                Vec::new()
            } else {
                vec![root(leaves)]
            };
        }
        let (left, right) = leaves.split_at(split(leaves.len()));
        let (mut proof, sibling) = if old_size <= left.len() {
            (subproof(old_size, left, is_known), right)
        } else {
            (subproof(old_size - left.len(), right, false), left)
        };
        proof.push(root(sibling));
        proof
    }

    /// The largest power of two below `size`.
    fn split(size: usize) -> usize {
        size.next_power_of_two() / 2
    }
}

#[cfg(test)]
mod tests {
    use super::reference::*;
    use super::*;

    #[test]
    fn hashes_are_those_of_rfc_6962() {
        assert_eq!(
            hash_leaf(b"L123456"),
            hash("395aa064aa4c29f7010acfe3f25db9485bbd4b91897b6ad7ad547639252b4d56")
        );
        let [left, right] = [hash_leaf(b""), hash_leaf(b"\0")];
        assert_eq!(hash_children(&left, &right), hash(ROOTS[2]));
        assert_eq!(EMPTY_ROOT, hash(ROOTS[0]));
    }

    #[test]
    fn the_reference_tree_has_its_roots_at_every_size() {
        let leaves = leaf_hashes();
        let mut edge = Edge::default();
        for (size, expected) in ROOTS.iter().enumerate() {
            assert_eq!(edge.root(), hash(expected), "{size}");
            let from_nodes = Leaves::all(size as u64).root(|node| {
                let start = (node.index << node.height) as usize;
                Ok::<_, ()>(root_of_full(&leaves[start..start + (1 << node.height)]))
            });
            assert_eq!(from_nodes, Ok(hash(expected)), "{size}");
            assert_eq!(root(&leaves[..size]), hash(expected), "{size}");
            if let Some(leaf) = leaves.get(size) {
                edge.push(*leaf);
            }
        }
    }

    #[test]
    fn a_tree_splits_at_the_largest_power_of_two_below_its_size() {
        for (size, left) in [
            (2, 1),
            (3, 2),
            (4, 2),
            (5, 4),
            (8, 4),
            (9, 8),
            (1 << 40, 1 << 39),
        ] {
            assert_eq!(Leaves::all(size).split().0.count(), left, "{size}");
        }
    }

    #[test]
    fn the_edge_of_a_long_tree_is_its_root() {
        let leaves: Vec<Hash> = (0..1_000u32).map(|n| hash_leaf(&n.to_be_bytes())).collect();
        let mut edge = Edge::default();
        for (size, leaf) in leaves.iter().enumerate() {
            edge.push(*leaf);
            assert_eq!(edge.size(), size as u64 + 1);
        }
        assert_eq!(edge.root(), root(&leaves));
    }
}
