CREATE TABLE audits.verifications (
    id             uuid        NOT NULL DEFAULT gen_random_uuid(),
    is_incremental boolean     NOT NULL,
    verdict        text        NOT NULL,
    entries        bigint      NOT NULL,
    lanes          bigint      NOT NULL,
    tree_size      bigint      NOT NULL DEFAULT 0,
    findings       jsonb       NOT NULL DEFAULT '{}',
    first_finding  jsonb,
    duration       interval    NOT NULL,
    created_at     timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT verifications_pkey PRIMARY KEY (id),
    CONSTRAINT verifications_verdict_check CHECK (verdict IN ('intact', 'broken')),
    CONSTRAINT verifications_entries_check CHECK (entries >= 0),
    CONSTRAINT verifications_lanes_check CHECK (lanes >= 0),
    CONSTRAINT verifications_tree_size_check CHECK (tree_size >= 0),
    CONSTRAINT verifications_findings_check CHECK (jsonb_typeof(findings) = 'object'),
    CONSTRAINT verifications_first_finding_check CHECK (jsonb_typeof(first_finding) = 'object'),
    CONSTRAINT verifications_duration_check CHECK (duration >= interval '0')
);

CREATE INDEX verifications_created_at_idx
    ON audits.verifications (created_at);

COMMENT ON TABLE audits.verifications IS 'What audits.verify() found, each time that it ran.';
COMMENT ON COLUMN audits.verifications.id IS 'Primary key.';
COMMENT ON COLUMN audits.verifications.is_incremental IS 'Whether only entries since the last verification were read.';
COMMENT ON COLUMN audits.verifications.verdict IS 'intact or broken.';
COMMENT ON COLUMN audits.verifications.entries IS 'Entries that were read.';
COMMENT ON COLUMN audits.verifications.lanes IS 'Lanes that were verified.';
COMMENT ON COLUMN audits.verifications.tree_size IS 'Leaves of the Merkle tree that was verified.';
COMMENT ON COLUMN audits.verifications.findings IS 'How many findings there were of each verdict of audits.verify_chain(): an object of numbers.';
COMMENT ON COLUMN audits.verifications.first_finding IS 'The first finding that is not legal: org_id, lane, seq, id, verdict and detail. NULL when the ledger was intact.';
COMMENT ON COLUMN audits.verifications.duration IS 'How long it took.';
COMMENT ON COLUMN audits.verifications.created_at IS 'Start of the transaction that verified.';
