-- What is known of each lane besides its entries, so that a lane that vanished is missed. Not touched by appends
-- after a lane's first, and not partitioned by time.
CREATE TABLE audits.lanes (
    id                     uuid        NOT NULL DEFAULT gen_random_uuid(),
    org_id                 uuid                 DEFAULT tenancy.current_org_id(),
    lane                   int         NOT NULL,
    checkpointed_seq       bigint      NOT NULL DEFAULT 0,
    checkpointed_signature text,
    checkpointed_ts        timestamptz,
    verified_seq           bigint      NOT NULL DEFAULT 0,
    verified_signature     text,
    verified_ts            timestamptz,
    archived_seq           bigint      NOT NULL DEFAULT 0,
    archived_signature     text,
    archived_ts            timestamptz,
    created_at             timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT lanes_pkey PRIMARY KEY (id),
    CONSTRAINT lanes_org_id_lane_key UNIQUE NULLS NOT DISTINCT (org_id, lane),
    CONSTRAINT lanes_lane_check CHECK (lane BETWEEN 0 AND 31),
    CONSTRAINT lanes_checkpointed_seq_check CHECK (checkpointed_seq >= 0),
    CONSTRAINT lanes_verified_seq_check CHECK (verified_seq >= 0),
    CONSTRAINT lanes_archived_seq_check CHECK (archived_seq >= 0)
);

COMMENT ON TABLE audits.lanes IS 'The hash chains of each organization''s ledger, and how far each has been checkpointed, verified and archived.';
COMMENT ON COLUMN audits.lanes.id IS 'Primary key.';
COMMENT ON COLUMN audits.lanes.org_id IS 'Organization whose ledger the lane is of; NULL for the platform''s own.';
COMMENT ON COLUMN audits.lanes.lane IS 'Number of the lane, 0 to 31.';
COMMENT ON COLUMN audits.lanes.checkpointed_seq IS 'seq of the last entry that a checkpoint covers; 0 for none.';
COMMENT ON COLUMN audits.lanes.checkpointed_signature IS 'signature of that entry.';
COMMENT ON COLUMN audits.lanes.checkpointed_ts IS 'ts of that entry.';
COMMENT ON COLUMN audits.lanes.verified_seq IS 'seq of the last entry that audits.verify() found intact; 0 for none.';
COMMENT ON COLUMN audits.lanes.verified_signature IS 'signature of that entry.';
COMMENT ON COLUMN audits.lanes.verified_ts IS 'ts of that entry.';
COMMENT ON COLUMN audits.lanes.archived_seq IS 'seq of the last entry that has left audits.audit_log for an archive; 0 for none.';
COMMENT ON COLUMN audits.lanes.archived_signature IS 'signature of that entry.';
COMMENT ON COLUMN audits.lanes.archived_ts IS 'ts of that entry.';
COMMENT ON COLUMN audits.lanes.created_at IS 'When the lane got its first entry.';
