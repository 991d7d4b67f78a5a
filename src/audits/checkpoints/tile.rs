//! How the tree's nodes are stored: those at the heights 0, 6, 12 and so on, in tiles of up to 64.

use std::collections::HashMap;

use super::tree::{root_of_full, Hash, Leaves, Node, HASH_SIZE};

/// Heights between one level of tiles and the next.
pub const TILE_HEIGHT: u32 = 6;

/// Hashes in a full tile.
pub const TILE_WIDTH: usize = 1 << TILE_HEIGHT;

/// Where a tile is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    pub level: u32,
    pub index: u64,
}

impl Place {
    /// The tile that has the leaves of this node's subtree, at the highest level that has them, and
    /// which of its hashes they are.
    fn of(node: Node) -> (Place, std::ops::Range<usize>) {
        let level = node.height / TILE_HEIGHT;
        let within = node.height % TILE_HEIGHT;
        let first = node.index << within;
        let start = (first % TILE_WIDTH as u64) as usize;
        let place = Place {
            level,
            index: first / TILE_WIDTH as u64,
        };
        (place, start..start + (1 << within))
    }

    /// How many hashes the tile has in a tree of this size.
    pub fn width(self, tree_size: u64) -> usize {
        let hashes = level_width(self.level, tree_size);
        let before = self.index.saturating_mul(TILE_WIDTH as u64);
        hashes.saturating_sub(before).min(TILE_WIDTH as u64) as usize
    }
}

/// How many nodes of a level there are in a tree of this size.
pub fn level_width(level: u32, tree_size: u64) -> u64 {
    tree_size.checked_shr(level * TILE_HEIGHT).unwrap_or(0)
}

/// The hashes in a tile's bytes; None when they are not whole hashes.
pub fn read_hashes(bytes: &[u8]) -> Option<Vec<Hash>> {
    let (hashes, rest) = bytes.as_chunks::<HASH_SIZE>();
    rest.is_empty().then(|| hashes.to_vec())
}

/// A tile is not there, or shorter than the tree's size says.
#[derive(Debug, PartialEq, Eq)]
pub struct Missing(pub Place);

/// Computes nodes from stored tiles, each of which is read once.
pub struct Tiles<F> {
    read: F,
    known: HashMap<Place, Vec<Hash>>,
}

impl<F: FnMut(Place) -> Option<Vec<Hash>>> Tiles<F> {
    /// `read` gives a tile, or None where there is none.
    pub fn new(read: F) -> Tiles<F> {
        Tiles {
            read,
            known: HashMap::new(),
        }
    }

    /// The hash of a full subtree.
    pub fn node(&mut self, node: Node) -> Result<Hash, Missing> {
        let (place, range) = Place::of(node);
        self.hashes(place)?
            .get(range)
            .map(root_of_full)
            .ok_or(Missing(place))
    }

    /// The root of leaves that are a subtree, such as a part of a proof.
    pub fn root(&mut self, leaves: Leaves) -> Result<Hash, Missing> {
        leaves.root(|node| self.node(node))
    }

    /// The hashes of a tile.
    pub fn hashes(&mut self, place: Place) -> Result<&[Hash], Missing> {
        if !self.known.contains_key(&place) {
            let hashes = (self.read)(place).ok_or(Missing(place))?;
            self.known.insert(place, hashes);
        }
        Ok(&self.known[&place])
    }
}

#[cfg(test)]
mod tests {
    use super::super::proof;
    use super::super::tree::{hash_leaf, reference};
    use super::*;

    /// All tiles of a tree, made naively.
    pub fn tiles_of(leaves: &[Hash]) -> HashMap<Place, Vec<Hash>> {
        let mut tiles = HashMap::new();
        let mut hashes = leaves.to_vec();
        let mut level = 0;
        while !hashes.is_empty() {
            for (index, tile) in hashes.chunks(TILE_WIDTH).enumerate() {
                let index = index as u64;
                tiles.insert(Place { level, index }, tile.to_vec());
            }
            hashes = hashes.chunks_exact(TILE_WIDTH).map(root_of_full).collect();
            level += 1;
        }
        tiles
    }

    #[test]
    fn roots_and_proofs_come_from_tiles() {
        let leaves: Vec<Hash> = (0..5_000u32).map(|n| hash_leaf(&n.to_be_bytes())).collect();
        let tiles = tiles_of(&leaves);
        for size in [0, 1, 63, 64, 65, 128, 4_095, 4_096, 4_097, 5_000] {
            let mut stored = Tiles::new(|place| tiles.get(&place).cloned());
            let root = reference::root(&leaves[..size]);
            assert_eq!(stored.root(Leaves::all(size as u64)), Ok(root));
            for index in (0..size).step_by(701) {
                let proof: Vec<Hash> = proof::inclusion(index as u64, size as u64)
                    .into_iter()
                    .map(|part| stored.root(part).expect("tiles"))
                    .collect();
                assert_eq!(proof, reference::path(index, &leaves[..size]));
            }
        }
    }

    #[test]
    fn a_proof_in_a_million_leaves_reads_few_tiles() {
        for (index, size) in [
            (0, 1_000_000),
            (999_999, 1_000_000),
            (524_288, 1_000_000),
            (123_456, 999_999),
        ] {
            let mut reads = 0;
            let mut stored = Tiles::new(|place: Place| {
                reads += 1;
                Some(vec![[0; 32]; place.width(size)])
            });
            for part in proof::inclusion(index, size) {
                stored.root(part).expect("tiles");
            }
            assert!(reads <= 8, "{reads}");
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        let place = Place { level: 0, index: 1 };
        let mut stored = Tiles::new(|place: Place| (place.index == 0).then(|| vec![[0; 32]; 64]));
        assert_eq!(
            stored.root(Leaves::all(65)),
            Err(Missing(Place { level: 1, index: 0 }))
                .or(Err(Missing(Place { level: 0, index: 1 })))
        );
        assert_eq!(stored.hashes(place), Err(Missing(place)));
    }

    #[test]
    fn widths_follow_the_size() {
        let place = |level, index| Place { level, index };
        assert_eq!(place(0, 0).width(0), 0);
        assert_eq!(place(0, 1).width(65), 1);
        assert_eq!(place(0, 0).width(65), 64);
        assert_eq!(place(1, 0).width(65), 1);
        assert_eq!(place(2, 0).width(4_095), 0);
        assert_eq!(place(10, 0).width(i64::MAX as u64), 8 - 1);
        assert_eq!(place(11, 0).width(u64::MAX), 0);
    }

    #[test]
    fn half_a_hash_is_no_tile() {
        assert_eq!(read_hashes(&[0; 64]).map(|hashes| hashes.len()), Some(2));
        assert_eq!(read_hashes(&[0; 33]), None);
    }
}
