-- The signatures are beside the packed rows: they stay when those are pruned, so that the chains and proofs of all
-- other entries can still be verified.
CREATE TABLE audits.archive_segments (
    id         uuid        NOT NULL DEFAULT gen_random_uuid(),
    org_id     uuid DEFAULT tenancy.current_org_id(),
    archive_id uuid        NOT NULL,
    place      int         NOT NULL,
    lanes      int[]       NOT NULL,
    first_seqs bigint[]    NOT NULL,
    last_seqs  bigint[]    NOT NULL,
    entries    int         NOT NULL,
    min_ts     timestamptz NOT NULL,
    max_ts     timestamptz NOT NULL,
    min_id     bigint      NOT NULL,
    max_id     bigint      NOT NULL,
    signatures bytea       NOT NULL,
    content    bytea,
    CONSTRAINT archive_segments_pkey PRIMARY KEY (id),
    CONSTRAINT archive_segments_archive_id_place_key UNIQUE (archive_id, place),
    CONSTRAINT archive_segments_archive_id_fkey FOREIGN KEY (archive_id) REFERENCES audits.archives (id),
    CONSTRAINT archive_segments_place_check CHECK (place >= 0),
    CONSTRAINT archive_segments_lanes_check
        CHECK (cardinality(lanes) >= 1
               AND cardinality(lanes) <= 32
               AND cardinality(first_seqs) = cardinality(lanes)
               AND cardinality(last_seqs) = cardinality(lanes)),
    CONSTRAINT archive_segments_entries_check CHECK (entries BETWEEN 1 AND 1000),
    CONSTRAINT archive_segments_max_ts_check CHECK (max_ts >= min_ts),
    CONSTRAINT archive_segments_max_id_check CHECK (max_id >= min_id),
    CONSTRAINT archive_segments_signatures_check CHECK (octet_length(signatures) = 32 * entries)
);

CREATE INDEX archive_segments_org_id_max_ts_idx
    ON audits.archive_segments (org_id, max_ts);

-- Compressed already, or not to be compressed: hashes.
ALTER TABLE audits.archive_segments
    ALTER COLUMN signatures SET STORAGE EXTERNAL,
    ALTER COLUMN content SET STORAGE EXTERNAL;

COMMENT ON TABLE audits.archive_segments IS 'Archived entries of the ledger, up to 1,000 of one organization in a row, packed in columns and compressed; audits.read_archive() reads them.';
COMMENT ON COLUMN audits.archive_segments.id IS 'Primary key.';
COMMENT ON COLUMN audits.archive_segments.org_id IS 'Organization whose ledger the entries are of; NULL for the platform''s own.';
COMMENT ON COLUMN audits.archive_segments.archive_id IS 'The archive that it is part of.';
COMMENT ON COLUMN audits.archive_segments.place IS 'Place in the archive, from 0; entries are in the order of organization, lane and seq throughout.';
COMMENT ON COLUMN audits.archive_segments.lanes IS 'The lanes that it has entries of, ascending.';
COMMENT ON COLUMN audits.archive_segments.first_seqs IS 'For each of the lanes, seq of its first entry in the segment.';
COMMENT ON COLUMN audits.archive_segments.last_seqs IS 'For each of the lanes, seq of its last entry in the segment.';
COMMENT ON COLUMN audits.archive_segments.entries IS 'Number of entries, 1 to 1,000.';
COMMENT ON COLUMN audits.archive_segments.min_ts IS 'ts of the earliest of the entries.';
COMMENT ON COLUMN audits.archive_segments.max_ts IS 'ts of the latest of the entries.';
COMMENT ON COLUMN audits.archive_segments.min_id IS 'Smallest id of the entries.';
COMMENT ON COLUMN audits.archive_segments.max_id IS 'Largest id of the entries.';
COMMENT ON COLUMN audits.archive_segments.signatures IS 'Signatures of the entries, one after another, 32 bytes each. They stay when the archive is pruned.';
COMMENT ON COLUMN audits.archive_segments.content IS 'The entries but for their signatures, as src/codeverify/segment packs them: with version, counts and a SHA-256 checksum. NULL once the archive has been pruned.';
