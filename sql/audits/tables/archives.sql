CREATE TABLE audits.archives (
    id             uuid        NOT NULL DEFAULT gen_random_uuid(),
    partition_name text        NOT NULL,
    from_ts        timestamptz NOT NULL,
    until_ts       timestamptz NOT NULL,
    entries        bigint      NOT NULL,
    segments       int         NOT NULL,
    bytes_before   bigint      NOT NULL,
    bytes_after    bigint      NOT NULL,
    root           bytea       NOT NULL,
    entry_id       bigint      NOT NULL,
    archived_by    text        NOT NULL DEFAULT session_user,
    archived_at    timestamptz NOT NULL DEFAULT now(),
    pruned_by      text,
    pruned_at      timestamptz,
    CONSTRAINT archives_pkey PRIMARY KEY (id),
    CONSTRAINT archives_partition_name_check CHECK (length(partition_name) BETWEEN 1 AND 63),
    CONSTRAINT archives_until_ts_check CHECK (until_ts > from_ts),
    CONSTRAINT archives_entries_check CHECK (entries >= 0),
    CONSTRAINT archives_segments_check CHECK (segments BETWEEN 0 AND entries),
    CONSTRAINT archives_bytes_before_check CHECK (bytes_before >= 0),
    CONSTRAINT archives_bytes_after_check CHECK (bytes_after >= 0),
    CONSTRAINT archives_root_check CHECK (octet_length(root) = 32),
    CONSTRAINT archives_pruned_check CHECK ((pruned_by IS NULL) = (pruned_at IS NULL))
);

CREATE INDEX archives_until_ts_idx
    ON audits.archives (until_ts);

COMMENT ON TABLE audits.archives IS 'Partitions of the ledger that have been packed and dropped, and what proves that nothing of them was lost.';
COMMENT ON COLUMN audits.archives.id IS 'Primary key.';
COMMENT ON COLUMN audits.archives.partition_name IS 'Name that the partition had.';
COMMENT ON COLUMN audits.archives.from_ts IS 'Lower bound of the partition, inclusive; -infinity for one without.';
COMMENT ON COLUMN audits.archives.until_ts IS 'Upper bound of the partition, exclusive.';
COMMENT ON COLUMN audits.archives.entries IS 'Number of entries.';
COMMENT ON COLUMN audits.archives.segments IS 'Number of segments that they are packed into.';
COMMENT ON COLUMN audits.archives.bytes_before IS 'Size of the partition with its indexes, in bytes.';
COMMENT ON COLUMN audits.archives.bytes_after IS 'Size of the segments and signatures, in bytes.';
COMMENT ON COLUMN audits.archives.root IS 'Root of the RFC 6962 Merkle tree over the signatures of the entries, in the order of organization (the platform''s own first), lane and seq; 32 bytes.';
COMMENT ON COLUMN audits.archives.entry_id IS 'id of the entry in the platform''s own ledger that records the archive, with the same root.';
COMMENT ON COLUMN audits.archives.archived_by IS 'Login that archived the partition.';
COMMENT ON COLUMN audits.archives.archived_at IS 'When it was archived.';
COMMENT ON COLUMN audits.archives.pruned_by IS 'Login that deleted the packed rows with audits.prune_archive(); NULL while they are there.';
COMMENT ON COLUMN audits.archives.pruned_at IS 'When they were deleted.';
