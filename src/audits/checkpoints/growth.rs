//! Adds leaves to a stored tree: which tiles are new or grow.

use super::tile::{level_width, Missing, Place, Tiles, TILE_WIDTH};
use super::tree::{root_of_full, Hash, Leaves};

/// A tile to be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tile {
    pub place: Place,
    pub hashes: Vec<Hash>,
}

/// The last tile of a level, which is not full.
#[derive(Debug, Default)]
struct Open {
    index: u64,
    hashes: Vec<Hash>,
    is_changed: bool,
}

/// A tree that leaves are added to. It holds one tile of each level.
#[derive(Debug, Default)]
pub struct Growth {
    size: u64,
    levels: Vec<Open>,
}

impl Growth {
    /// Goes on from a stored tree.
    pub fn resume<F>(size: u64, tiles: &mut Tiles<F>) -> Result<Growth, Missing>
    where
        F: FnMut(Place) -> Option<Vec<Hash>>,
    {
        let mut levels = Vec::new();
        for level in 0.. {
            let hashes = level_width(level, size);
            if hashes == 0 {
                break;
            }
            let place = Place {
                level,
                index: hashes / TILE_WIDTH as u64,
            };
            let width = place.width(size);
            let stored = if width == 0 {
                Vec::new()
            } else {
                let stored = tiles.hashes(place)?;
                stored.get(..width).ok_or(Missing(place))?.to_vec()
            };
            levels.push(Open {
                index: place.index,
                hashes: stored,
                is_changed: false,
            });
        }
        Ok(Growth { size, levels })
    }

    /// Leaves so far.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Adds a leaf; `store` takes each tile that is full now.
    pub fn push(&mut self, leaf: Hash, mut store: impl FnMut(Tile)) {
        self.size += 1;
        let mut hash = leaf;
        for level in 0.. {
            if self.levels.len() == level {
                self.levels.push(Open::default());
            }
            let open = &mut self.levels[level];
            open.hashes.push(hash);
            open.is_changed = true;
            if open.hashes.len() < TILE_WIDTH {
                return;
            }
            hash = root_of_full(&open.hashes);
            store(Tile {
                place: Place {
                    level: level as u32,
                    index: open.index,
                },
                hashes: std::mem::take(&mut open.hashes),
            });
            open.index += 1;
            open.is_changed = false;
        }
    }

    /// The tiles that are not full and have changed.
    pub fn open_tiles(&self) -> impl Iterator<Item = Tile> + '_ {
        self.levels
            .iter()
            .enumerate()
            .filter(|(_, open)| open.is_changed)
            .map(|(level, open)| Tile {
                place: Place {
                    level: level as u32,
                    index: open.index,
                },
                hashes: open.hashes.clone(),
            })
    }

    /// All tiles that are not full and not empty.
    pub fn held_tiles(&self) -> impl Iterator<Item = Tile> + '_ {
        (0u32..)
            .zip(&self.levels)
            .filter(|(_, open)| !open.hashes.is_empty())
            .map(|(level, open)| Tile {
                place: Place {
                    level,
                    index: open.index,
                },
                hashes: open.hashes.clone(),
            })
    }

    /// The root of the leaves so far. It needs no tile but those that are held: a tree's full subtrees end
    /// where it ends.
    pub fn root(&self) -> Result<Hash, Missing> {
        Tiles::new(|place: Place| {
            let open = self.levels.get(place.level as usize)?;
            (open.index == place.index).then(|| open.hashes.clone())
        })
        .root(Leaves::all(self.size))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::super::tree::{hash_leaf, reference};
    use super::*;

    #[test]
    fn a_tree_that_grows_in_steps_has_the_tiles_and_roots_of_one_made_at_once() {
        let leaves: Vec<Hash> = (0..9_000u32).map(|n| hash_leaf(&n.to_be_bytes())).collect();
        let mut stored: HashMap<Place, Vec<Hash>> = HashMap::new();
        let mut size = 0;
        for step in [0usize, 1, 62, 1, 1, 63, 64, 3_904, 1, 4_096, 0, 700] {
            let mut tiles = Tiles::new(|place| stored.get(&place).cloned());
            let mut growth = Growth::resume(size as u64, &mut tiles).expect("tiles");
            assert_eq!(growth.root(), Ok(reference::root(&leaves[..size])));
            let mut new = Vec::new();
            for leaf in &leaves[size..size + step] {
                growth.push(*leaf, |tile| new.push(tile));
            }
            new.extend(growth.open_tiles());
            size += step;
            assert_eq!(growth.size(), size as u64);
            assert_eq!(
                growth.root(),
                Ok(reference::root(&leaves[..size])),
                "{size}"
            );
            for tile in new {
                assert_eq!(tile.hashes.len(), tile.place.width(size as u64));
                if let Some(shorter) = stored.insert(tile.place, tile.hashes.clone()) {
                    assert!(shorter.len() < tile.hashes.len() && tile.hashes.starts_with(&shorter));
                }
            }
            let mut tiles = Tiles::new(|place| stored.get(&place).cloned());
            for old in (0..=size).step_by(1_511) {
                let root = tiles.root(Leaves::all(old as u64));
                assert_eq!(root, Ok(reference::root(&leaves[..old])));
            }
        }
    }

    #[test]
    fn a_tile_that_is_gone_or_cut_is_named() {
        let place = Place { level: 0, index: 1 };
        let mut gone = Tiles::new(|place: Place| (place.index == 0).then(|| vec![[0; 32]]));
        assert_eq!(
            Growth::resume(70, &mut gone).map(|_| ()),
            Err(Missing(place))
        );
        let mut cut = Tiles::new(|_| Some(vec![[0; 32]; 5]));
        assert_eq!(
            Growth::resume(70, &mut cut).map(|_| ()),
            Err(Missing(place))
        );
    }
}
