-- Rows are made when maintenance first meets a set or somebody configures it, not here: data alone can be restored
-- into a fresh deployment.
CREATE TABLE codeverify.partition_sets (
    parent         regclass    NOT NULL,
    period         text        NOT NULL,
    premake        integer     NOT NULL,
    retention      interval,
    action         text        NOT NULL DEFAULT 'drop',
    compress_after interval,
    closed_indexes text[]      NOT NULL DEFAULT '{}',
    live_search    boolean     NOT NULL DEFAULT false,
    closes_after   interval    NOT NULL DEFAULT '1 hour',
    retired_until  timestamptz,
    last_error     text,
    last_error_at  timestamptz,
    created_at     timestamptz NOT NULL DEFAULT now(),
    updated_at     timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT partition_sets_pkey PRIMARY KEY (parent),
    CONSTRAINT partition_sets_period_check CHECK (period IN ('day', 'week', 'month')),
    CONSTRAINT partition_sets_premake_check CHECK (premake BETWEEN 1 AND 150),
    CONSTRAINT partition_sets_retention_check CHECK (retention > '0'),
    CONSTRAINT partition_sets_action_check CHECK (action IN ('detach', 'drop', 'archive')),
    CONSTRAINT partition_sets_compress_after_check CHECK (compress_after > '0'),
    CONSTRAINT partition_sets_closes_after_check CHECK (closes_after >= '0')
);

COMMENT ON TABLE codeverify.partition_sets IS 'Tables whose partitions codeverify.maintain() makes, closes and retires; changed with codeverify.configure_partitions().';
COMMENT ON COLUMN codeverify.partition_sets.parent IS 'The partitioned table.';
COMMENT ON COLUMN codeverify.partition_sets.period IS 'Length of a partition, in UTC: day, week (from Monday) or month.';
COMMENT ON COLUMN codeverify.partition_sets.premake IS 'How many periods after the current one have their partition ahead of time.';
COMMENT ON COLUMN codeverify.partition_sets.retention IS 'How long rows are kept after their partition''s end; NULL for good.';
COMMENT ON COLUMN codeverify.partition_sets.action IS 'What happens to a partition that is past retention: detach leaves it as a table of its own, drop deletes it, archive packs its rows.';
COMMENT ON COLUMN codeverify.partition_sets.compress_after IS 'How long after its end a partition is packed into compressed segments; NULL never.';
COMMENT ON COLUMN codeverify.partition_sets.closed_indexes IS 'Indexes that each partition gets when it closes: what follows the table''s name in CREATE INDEX, such as "USING gin (meta_json jsonb_path_ops)".';
COMMENT ON COLUMN codeverify.partition_sets.live_search IS 'Whether open partitions have the indexes of closed ones too.';
COMMENT ON COLUMN codeverify.partition_sets.closes_after IS 'How long after its end a partition counts as closed, so that late rows find it open.';
COMMENT ON COLUMN codeverify.partition_sets.retired_until IS 'Partitions before this time have left the table, by retention or packed; they are not made again.';
COMMENT ON COLUMN codeverify.partition_sets.last_error IS 'What went wrong last in maintaining it; NULL once it has gone well again.';
COMMENT ON COLUMN codeverify.partition_sets.last_error_at IS 'When that was.';
COMMENT ON COLUMN codeverify.partition_sets.created_at IS 'When the row was made.';
COMMENT ON COLUMN codeverify.partition_sets.updated_at IS 'When the row was last changed; kept by a trigger.';
