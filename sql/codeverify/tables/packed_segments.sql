-- What is packed is compressed already; the header is read without the rest.
CREATE TABLE codeverify.packed_segments (
    id           uuid        NOT NULL DEFAULT gen_random_uuid(),
    org_id       uuid        DEFAULT tenancy.current_org_id(),
    relation     regclass    NOT NULL,
    period_start timestamptz NOT NULL,
    period_end   timestamptz NOT NULL,
    min_ts       timestamptz NOT NULL,
    max_ts       timestamptz NOT NULL,
    row_count    integer     NOT NULL,
    columns      jsonb       NOT NULL,
    summary      jsonb       NOT NULL DEFAULT '{}',
    words        bytea,
    content      bytea       NOT NULL,
    packed_at    timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT packed_segments_pkey PRIMARY KEY (id),
    CONSTRAINT packed_segments_org_id_fkey FOREIGN KEY (org_id)
        REFERENCES tenancy.organizations (id) ON DELETE CASCADE,
    CONSTRAINT packed_segments_period_check CHECK (period_start < period_end),
    CONSTRAINT packed_segments_ts_check
        CHECK (min_ts <= max_ts AND min_ts >= period_start AND max_ts < period_end),
    CONSTRAINT packed_segments_row_count_check CHECK (row_count BETWEEN 1 AND 65536),
    CONSTRAINT packed_segments_columns_check CHECK (jsonb_typeof(columns) = 'array'),
    CONSTRAINT packed_segments_summary_check CHECK (jsonb_typeof(summary) = 'object')
);

ALTER TABLE codeverify.packed_segments
    ALTER COLUMN words SET STORAGE EXTERNAL,
    ALTER COLUMN content SET STORAGE EXTERNAL;

CREATE INDEX packed_segments_org_id_relation_max_ts_idx
    ON codeverify.packed_segments (org_id, relation, max_ts DESC);
CREATE INDEX packed_segments_relation_period_end_idx
    ON codeverify.packed_segments (relation, period_end);

COMMENT ON TABLE codeverify.packed_segments IS 'Rows of closed partitions, packed by columns and compressed; each segment holds rows of one organization and one period.';
COMMENT ON COLUMN codeverify.packed_segments.id IS 'Primary key.';
COMMENT ON COLUMN codeverify.packed_segments.org_id IS 'Organization that owns the rows; NULL for tables without organizations.';
COMMENT ON COLUMN codeverify.packed_segments.relation IS 'Partitioned table that the rows come from.';
COMMENT ON COLUMN codeverify.packed_segments.period_start IS 'Lower bound of the partition that they come from.';
COMMENT ON COLUMN codeverify.packed_segments.period_end IS 'Its upper bound; what is past retention goes by this.';
COMMENT ON COLUMN codeverify.packed_segments.min_ts IS 'Earliest of the times, or UTC days, that decide the partition.';
COMMENT ON COLUMN codeverify.packed_segments.max_ts IS 'Latest of them.';
COMMENT ON COLUMN codeverify.packed_segments.row_count IS 'Number of rows.';
COMMENT ON COLUMN codeverify.packed_segments.columns IS 'Names and types of the columns, in the order in which they are packed; the segment has them too.';
COMMENT ON COLUMN codeverify.packed_segments.summary IS 'By which a reader skips segments: for each column of few values {"in": [...]}, for each integer column {"min": ..., "max": ...}.';
COMMENT ON COLUMN codeverify.packed_segments.words IS 'Bloom filter of the words of the messages of log lines, by which a search skips segments; NULL for other tables.';
COMMENT ON COLUMN codeverify.packed_segments.content IS 'The segment, which carries a checksum over all of it.';
COMMENT ON COLUMN codeverify.packed_segments.packed_at IS 'When it was packed.';
