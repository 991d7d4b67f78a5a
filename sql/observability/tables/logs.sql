-- No foreign keys: a statement trigger checks the references, since row checks would cost most of the write rate.
-- Full-text and metadata indexes come when a partition closes: kept live, they would cost as much again.
CREATE TABLE observability.logs (
    id             bigserial   NOT NULL,
    org_id         uuid        NOT NULL DEFAULT tenancy.current_org_id(),
    service_id     uuid,
    environment_id uuid,
    ts             timestamptz NOT NULL DEFAULT now(),
    level          text        NOT NULL DEFAULT 'info',
    message        text        NOT NULL,
    meta_json      jsonb       NOT NULL DEFAULT '{}',
    CONSTRAINT logs_pkey PRIMARY KEY (id, ts),
    CONSTRAINT logs_level_check CHECK (level IN ('trace', 'debug', 'info', 'warn', 'error', 'fatal')),
    -- As observability.ingest_logs() has it, for whoever writes without it.
    CONSTRAINT logs_message_check CHECK (octet_length(message) <= 1048576),
    CONSTRAINT logs_meta_json_check CHECK (jsonb_typeof(meta_json) = 'object')
) PARTITION BY RANGE (ts);

CREATE TABLE observability.logs_default PARTITION OF observability.logs DEFAULT;

CREATE INDEX logs_scope_ts_idx
    ON observability.logs (org_id, service_id, environment_id, ts DESC);
CREATE INDEX logs_org_ts_idx
    ON observability.logs (org_id, ts DESC);
CREATE INDEX logs_level_idx
    ON observability.logs (org_id, level, ts DESC);

SELECT codeverify.create_partitions('observability.logs', 'day', 1, 14);

COMMENT ON TABLE observability.logs IS 'Log lines of services: append-only, partitioned by UTC day.';
COMMENT ON COLUMN observability.logs.id IS 'Number of the line; primary key together with ts.';
COMMENT ON COLUMN observability.logs.org_id IS 'Organization that owns the line.';
COMMENT ON COLUMN observability.logs.service_id IS 'Service that wrote the line, in tenancy.services; NULL when unknown.';
COMMENT ON COLUMN observability.logs.environment_id IS 'Environment that the service ran in, in tenancy.environments; NULL when unknown.';
COMMENT ON COLUMN observability.logs.ts IS 'When the line was written, by the clock of the service; decides the partition.';
COMMENT ON COLUMN observability.logs.level IS 'Severity: trace, debug, info, warn, error or fatal.';
COMMENT ON COLUMN observability.logs.message IS 'Text of the line, at most 1 MB.';
COMMENT ON COLUMN observability.logs.meta_json IS 'What else the service says about the line, a JSON object.';
COMMENT ON TABLE observability.logs_default IS 'Lines of days that have no partition of their own.';
