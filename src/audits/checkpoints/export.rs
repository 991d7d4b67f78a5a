//! The tree as C2SP tlog-tiles: the files of which, and what is in each.

#[cfg(test)]
use super::tree::Leaves;
use super::tree::{Hash, Node};

/// Heights between two levels of exported tiles, which are wider than those that are stored.
const HEIGHT: u32 = 8;

/// Hashes in a full tile.
const WIDTH: u64 = 1 << HEIGHT;

/// A tile as the specification has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExportedTile {
    level: u32,
    index: u64,
    width: u64,
}

impl ExportedTile {
    /// Where it is served, relative to the log's prefix.
    pub fn path(self) -> String {
        let mut digits = format!("{:03}", self.index % 1_000);
        let mut rest = self.index / 1_000;
        while rest > 0 {
            digits = format!("x{:03}/{digits}", rest % 1_000);
            rest /= 1_000;
        }
        let partial = match self.width {
            WIDTH => String::new(),
            width => format!(".p/{width}"),
        };
        format!("tile/{}/{digits}{partial}", self.level)
    }

    /// Its bytes, from the hashes of full subtrees.
    pub fn content<E>(
        self,
        mut hash_of: impl FnMut(Node) -> Result<Hash, E>,
    ) -> Result<Vec<u8>, E> {
        let first = self.index * WIDTH;
        let mut bytes = Vec::with_capacity(self.width as usize * 32);
        for index in first..first + self.width {
            bytes.extend(hash_of(Node {
                height: self.level * HEIGHT,
                index,
            })?);
        }
        Ok(bytes)
    }

    /// Leaves below it.
    #[cfg(test)]
    fn leaves(self) -> Leaves {
        let reach = |index: u64| index << (self.level * HEIGHT);
        Leaves {
            start: reach(self.index * WIDTH),
            end: reach(self.index * WIDTH + self.width),
        }
    }
}

/// The tiles of a tree, without those that were full already when it had `since` leaves.
pub fn tiles(since: u64, tree_size: u64) -> impl Iterator<Item = ExportedTile> {
    let width_at = |level: u32, size: u64| size.checked_shr(level * HEIGHT).unwrap_or(0);
    (0..u64::BITS / HEIGHT)
        .take_while(move |level| width_at(*level, tree_size) > 0)
        .flat_map(move |level| {
            let hashes = width_at(level, tree_size);
            (width_at(level, since) / WIDTH..hashes.div_ceil(WIDTH)).map(move |index| {
                ExportedTile {
                    level,
                    index,
                    width: (hashes - index * WIDTH).min(WIDTH),
                }
            })
        })
}

#[cfg(test)]
mod tests {
    use super::super::tile::{Place, Tiles, TILE_WIDTH};
    use super::super::tree::{hash_leaf, reference, root_of_full};
    use super::*;

    #[test]
    fn the_example_of_the_specification_has_its_tiles() {
        let of: Vec<ExportedTile> = tiles(0, 70_000).collect();
        let count = |level, width| {
            of.iter()
                .filter(|tile| tile.level == level && tile.width == width)
                .count()
        };
        assert_eq!(count(0, 256), 273);
        assert_eq!(count(0, 112), 1);
        assert_eq!(count(1, 256), 1);
        assert_eq!(count(1, 17), 1);
        assert_eq!(count(2, 1), 1);
        assert_eq!(of.len(), 277);
        let paths: Vec<String> = tiles(0, 256).map(ExportedTile::path).collect();
        assert_eq!(paths, ["tile/0/000", "tile/1/000.p/1"]);
        assert_eq!(tiles(0, 0).count(), 0);
    }

    #[test]
    fn paths_are_in_groups_of_three_digits() {
        let path = |index, width| {
            ExportedTile {
                level: 3,
                index,
                width,
            }
            .path()
        };
        assert_eq!(path(0, 256), "tile/3/000");
        assert_eq!(path(999, 5), "tile/3/999.p/5");
        assert_eq!(path(1_234_067, 256), "tile/3/x001/x234/067");
        assert_eq!(path(1_000, 1), "tile/3/x001/000.p/1");
    }

    #[test]
    fn full_tiles_are_not_exported_again() {
        let paths: Vec<String> = tiles(256, 600).map(ExportedTile::path).collect();
        assert_eq!(paths, ["tile/0/001", "tile/0/002.p/88", "tile/1/000.p/2"]);
        assert_eq!(tiles(600, 600).count(), 2);
    }

    #[test]
    fn contents_are_the_roots_of_what_is_below() {
        let leaves: Vec<Hash> = (0..66_000u32)
            .map(|n| hash_leaf(&n.to_be_bytes()))
            .collect();
        let mut stored = Tiles::new(|place: Place| {
            let below = 1usize << (6 * place.level);
            let first = place.index as usize * TILE_WIDTH * below;
            Some(
                leaves[first..]
                    .chunks_exact(below)
                    .take(TILE_WIDTH)
                    .map(root_of_full)
                    .collect(),
            )
        });
        for tile in tiles(65_000, 66_000) {
            let content = tile.content(|node| stored.node(node)).expect("tiles");
            assert_eq!(content.len() as u64, tile.width * 32);
            let part = tile.leaves();
            let expected = reference::root(&leaves[part.start as usize..part.end as usize]);
            let hashes = super::super::tile::read_hashes(&content).expect("hashes");
            assert_eq!(reference::root(&hashes), expected, "{tile:?}");
        }
    }
}
