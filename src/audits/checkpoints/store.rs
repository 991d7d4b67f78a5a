//! Glue: the stored tree. All of it is to be called with the owner's rights.

use std::path::Path;

use pgrx::datum::DatumWithOid;
use uuid::Uuid;

use super::checkpoint::{is_origin, Checkpoint};
use super::growth::Tile;
use super::key_file::{self, Keys};
use super::stream::{first, Argument};
use super::tile::{read_hashes, Place, Tiles};
use super::tree::{Hash, Leaves, EMPTY_ROOT};
use crate::audits::authority::{acting, Deed};
use crate::audits::settings;
use crate::codeverify::errors::Error;
use crate::codeverify::query::{select_one, update};

/// The last checkpoint.
pub struct Latest {
    pub tree_size: u64,
    pub root: Hash,
    pub note: String,
}

/// The last checkpoint, if there is one.
pub fn latest() -> Option<Latest> {
    first(
        "SELECT c.tree_size, c.root, c.note FROM audits.checkpoints AS c ORDER BY c.tree_size DESC LIMIT 1",
        &[],
        |row| Latest {
            tree_size: size(row.int8(1)),
            root: row
                .bytes(2)
                .and_then(|root| root.try_into().ok())
                .unwrap_or(EMPTY_ROOT),
            note: row.text(3).unwrap_or_default().to_owned(),
        },
    )
}

/// Entries in the tree of the last checkpoint.
pub fn current_size() -> u64 {
    first(
        "SELECT c.tree_size FROM audits.checkpoints AS c ORDER BY c.tree_size DESC LIMIT 1",
        &[],
        |row| size(row.int8(1)),
    )
    .unwrap_or(0)
}

/// How many leaves are known to be entries.
pub fn mapped_size() -> u64 {
    first(
        "SELECT c.first_leaf + c.last_seq - c.first_seq + 1 \
         FROM audits.checkpoint_lanes AS c ORDER BY c.first_leaf DESC LIMIT 1",
        &[],
        |row| size(row.int8(1)),
    )
    .unwrap_or(0)
}

/// How many leaves the tiles have.
pub fn tiled_size() -> u64 {
    first(
        "SELECT t.tile_index * 64 + pg_catalog.length(t.hashes) / 32 \
         FROM audits.merkle_tiles AS t WHERE t.level = 0 ORDER BY t.tile_index DESC LIMIT 1",
        &[],
        |row| size(row.int8(1)),
    )
    .unwrap_or(0)
}

/// The seq up to which a lane's entries are in the tree.
pub fn mapped_seq(org_id: Option<Uuid>, lane: i32) -> i64 {
    let sql = if org_id.is_some() {
        "SELECT c.last_seq FROM audits.checkpoint_lanes AS c \
         WHERE c.org_id = $1 AND c.lane = $2 ORDER BY c.last_seq DESC LIMIT 1"
    } else {
        "SELECT c.last_seq FROM audits.checkpoint_lanes AS c \
         WHERE $1::uuid IS NULL AND c.org_id IS NULL AND c.lane = $2 \
         ORDER BY c.org_id DESC, c.lane DESC, c.last_seq DESC LIMIT 1"
    };
    let arguments = [Argument::Uuid(org_id), Argument::Int4(lane)];
    first(sql, &arguments, |row| row.int8(1)).unwrap_or(0)
}

/// A size that tables keep, which is never below 0.
pub fn size(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// A size as tables keep it.
pub fn number(size: u64) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}

/// A stored tile.
pub fn read_tile(place: Place) -> Option<Vec<Hash>> {
    first(
        "SELECT t.hashes FROM audits.merkle_tiles AS t WHERE t.level = $1 AND t.tile_index = $2",
        &[
            Argument::Int4(i32::try_from(place.level).ok()?),
            Argument::Int8(number(place.index)),
        ],
        |row| row.bytes(1).and_then(read_hashes),
    )
    .flatten()
}

/// The stored tiles.
pub fn tiles() -> Tiles<impl FnMut(Place) -> Option<Vec<Hash>>> {
    Tiles::new(read_tile)
}

/// The roots of some parts of the tree.
pub fn roots(parts: &[Leaves]) -> Result<Vec<Hash>, Error> {
    let mut tiles = tiles();
    parts
        .iter()
        .map(|part| tiles.root(*part).map_err(damaged))
        .collect()
}

/// Says which tile is missing.
pub fn damaged(super::tile::Missing(place): super::tile::Missing) -> Error {
    Error::TreeDamaged {
        problem: format!(
            "Tile {} of level {} is missing or cut.",
            place.index, place.level
        ),
    }
}

/// Writes tiles, over the shorter ones that they were.
pub fn write_tiles(tiles: &[Tile]) {
    if tiles.is_empty() {
        return;
    }
    let levels: Vec<i32> = tiles
        .iter()
        .map(|tile| i32::try_from(tile.place.level).unwrap_or(i32::MAX))
        .collect();
    let indexes: Vec<i64> = tiles.iter().map(|tile| number(tile.place.index)).collect();
    let hashes: Vec<Vec<u8>> = tiles.iter().map(|tile| tile.hashes.concat()).collect();
    update(
        "INSERT INTO audits.merkle_tiles AS t (level, tile_index, hashes) \
         SELECT n.level, n.tile_index, n.hashes \
         FROM unnest($1, $2, $3) AS n (level, tile_index, hashes) \
         ON CONFLICT (level, tile_index) DO UPDATE SET hashes = excluded.hashes",
        &[levels.into(), indexes.into(), hashes.into()],
        |_| Ok(()),
    );
}

/// Stores the checkpoint of a tree that has none yet.
pub fn write_checkpoint(checkpoint: &Checkpoint, note: &str, is_signed: bool) {
    update(
        "INSERT INTO audits.checkpoints AS c (tree_size, origin, note, is_signed, root) \
         VALUES ($1, $2, $3, $4, $5)",
        &[
            DatumWithOid::from(number(checkpoint.tree_size)),
            checkpoint.origin.as_str().into(),
            note.into(),
            is_signed.into(),
            checkpoint.root.to_vec().into(),
        ],
        |_| Ok(()),
    );
}

/// Puts a note of the same tree, by another key, in the place of the one that there is.
pub fn replace_note(checkpoint: &Checkpoint, note: &str) {
    acting(Deed::Maintenance, || {
        update(
            "UPDATE audits.checkpoints AS c SET origin = $2, note = $3, is_signed = true WHERE c.tree_size = $1",
            &[
                DatumWithOid::from(number(checkpoint.tree_size)),
                checkpoint.origin.as_str().into(),
                note.into(),
            ],
            |_| Ok(()),
        );
    });
}

/// The keys that are configured, read anew from their file; None when there is none.
pub fn keys() -> Result<Option<Keys>, Error> {
    settings::key_file()
        .map(|path| key_file::read(Path::new(&path)))
        .transpose()
        .map_err(|problem| Error::UnusableKeyFile { problem })
}

/// The name of this ledger.
pub fn origin() -> Result<String, Error> {
    let origin = settings::origin().unwrap_or_else(|| {
        let database = select_one::<String>("SELECT pg_catalog.current_database()::text", &[]);
        format!("codeverify/{}", database.unwrap_or_default())
    });
    if is_origin(&origin) {
        Ok(origin)
    } else {
        Err(Error::InvalidOrigin)
    }
}
