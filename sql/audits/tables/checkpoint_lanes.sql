-- Which leaves of the tree are which entries: the leaf of (org_id, lane, seq) is first_leaf + seq - first_seq.
CREATE TABLE audits.checkpoint_lanes (
    first_leaf bigint      NOT NULL,
    tree_size  bigint      NOT NULL,
    org_id     uuid DEFAULT tenancy.current_org_id(),
    lane       int         NOT NULL,
    first_seq  bigint      NOT NULL,
    last_seq   bigint      NOT NULL,
    first_ts   timestamptz NOT NULL,
    last_ts    timestamptz NOT NULL,
    CONSTRAINT checkpoint_lanes_pkey PRIMARY KEY (first_leaf),
    CONSTRAINT checkpoint_lanes_tree_size_fkey FOREIGN KEY (tree_size) REFERENCES audits.checkpoints (tree_size),
    CONSTRAINT checkpoint_lanes_first_leaf_check CHECK (first_leaf >= 0),
    CONSTRAINT checkpoint_lanes_lane_check CHECK (lane BETWEEN 0 AND 31),
    CONSTRAINT checkpoint_lanes_first_seq_check CHECK (first_seq > 0),
    CONSTRAINT checkpoint_lanes_last_seq_check CHECK (last_seq >= first_seq),
    CONSTRAINT checkpoint_lanes_last_ts_check CHECK (last_ts >= first_ts),
    CONSTRAINT checkpoint_lanes_leaves_check CHECK (first_leaf + (last_seq - first_seq) < tree_size)
);

CREATE INDEX checkpoint_lanes_org_id_lane_last_seq_idx
    ON audits.checkpoint_lanes (org_id, lane, last_seq);
CREATE INDEX checkpoint_lanes_tree_size_idx
    ON audits.checkpoint_lanes (tree_size);

COMMENT ON TABLE audits.checkpoint_lanes IS 'The entries that each checkpoint brought into the Merkle tree: one run of consecutive entries of a lane a row.';
COMMENT ON COLUMN audits.checkpoint_lanes.first_leaf IS 'Leaf index of the run''s first entry, counted from 0; primary key.';
COMMENT ON COLUMN audits.checkpoint_lanes.tree_size IS 'Checkpoint that brought them in.';
COMMENT ON COLUMN audits.checkpoint_lanes.org_id IS 'Organization whose ledger they are in; NULL for the platform''s own.';
COMMENT ON COLUMN audits.checkpoint_lanes.lane IS 'Lane that they are in, 0 to 31.';
COMMENT ON COLUMN audits.checkpoint_lanes.first_seq IS 'seq of the first.';
COMMENT ON COLUMN audits.checkpoint_lanes.last_seq IS 'seq of the last.';
COMMENT ON COLUMN audits.checkpoint_lanes.first_ts IS 'ts of the first.';
COMMENT ON COLUMN audits.checkpoint_lanes.last_ts IS 'ts of the last.';
