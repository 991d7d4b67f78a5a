-- The tree's nodes at the heights 0, 6, 12 and so on; those between are computed from a tile. The last tile of a
-- level grows until it is full.
CREATE TABLE audits.merkle_tiles (
    level      int    NOT NULL,
    tile_index bigint NOT NULL,
    hashes     bytea  NOT NULL,
    CONSTRAINT merkle_tiles_pkey PRIMARY KEY (level, tile_index),
    CONSTRAINT merkle_tiles_level_check CHECK (level BETWEEN 0 AND 10),
    CONSTRAINT merkle_tiles_tile_index_check CHECK (tile_index >= 0),
    CONSTRAINT merkle_tiles_hashes_check CHECK (length(hashes) >= 32 AND length(hashes) <= 2048 AND length(hashes) % 32 = 0)
);

-- A tile is 2 kB of hashes, which do not compress: no tile takes a second look-up in a TOAST table.
ALTER TABLE audits.merkle_tiles ALTER COLUMN hashes SET STORAGE PLAIN;

COMMENT ON TABLE audits.merkle_tiles IS 'The Merkle tree over all entries that have been checkpointed, in tiles of 64 nodes.';
COMMENT ON COLUMN audits.merkle_tiles.level IS 'Height of the tile''s nodes above the leaves, divided by 6.';
COMMENT ON COLUMN audits.merkle_tiles.tile_index IS 'Place of the tile in its level, counted from 0.';
COMMENT ON COLUMN audits.merkle_tiles.hashes IS 'Up to 64 hashes of 32 bytes, from left to right; fewer in the last tile of a level.';
