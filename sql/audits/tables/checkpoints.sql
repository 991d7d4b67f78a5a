-- One row for each size of the tree that a note speaks of. Notes are what outsiders keep; these are ours.
CREATE TABLE audits.checkpoints (
    tree_size  bigint      NOT NULL,
    root       bytea       NOT NULL,
    origin     text        NOT NULL,
    note       text        NOT NULL,
    is_signed  boolean     NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT checkpoints_pkey PRIMARY KEY (tree_size),
    CONSTRAINT checkpoints_tree_size_check CHECK (tree_size >= 0),
    CONSTRAINT checkpoints_root_check CHECK (length(root) = 32),
    CONSTRAINT checkpoints_origin_check CHECK (origin <> '')
);

COMMENT ON TABLE audits.checkpoints IS 'What the ledger was at a moment: the size and the root of the Merkle tree over all lanes, as a C2SP checkpoint.';
COMMENT ON COLUMN audits.checkpoints.tree_size IS 'Entries in the tree; primary key.';
COMMENT ON COLUMN audits.checkpoints.root IS 'Root of the RFC 6962 Merkle tree over the first tree_size entries, a SHA-256.';
COMMENT ON COLUMN audits.checkpoints.origin IS 'Name of this ledger: first line of the note.';
COMMENT ON COLUMN audits.checkpoints.note IS 'The C2SP tlog-checkpoint, with its signature line where it is signed.';
COMMENT ON COLUMN audits.checkpoints.is_signed IS 'Whether the note has a signature.';
COMMENT ON COLUMN audits.checkpoints.created_at IS 'When the checkpoint was made.';
