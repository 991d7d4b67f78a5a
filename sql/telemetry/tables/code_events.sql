-- No foreign keys: a statement trigger checks the references, since row checks would cost most of the write rate.
CREATE TABLE telemetry.code_events (
    id          bigserial            NOT NULL,
    org_id      uuid                 NOT NULL DEFAULT tenancy.current_org_id(),
    repo_id     uuid                 NOT NULL,
    "timestamp" timestamptz          NOT NULL DEFAULT now(),
    commit_sha  text,
    event_type  telemetry.event_type NOT NULL,
    metadata    jsonb                NOT NULL DEFAULT '{}',
    CONSTRAINT code_events_pkey PRIMARY KEY (id, "timestamp"),
    CONSTRAINT code_events_commit_sha_check CHECK (commit_sha ~ '^([0-9a-f]{40}|[0-9a-f]{64})$'),
    CONSTRAINT code_events_metadata_check CHECK (jsonb_typeof(metadata) = 'object')
) PARTITION BY RANGE ("timestamp");

CREATE TABLE telemetry.code_events_default PARTITION OF telemetry.code_events DEFAULT;

CREATE INDEX code_events_org_id_timestamp_idx
    ON telemetry.code_events (org_id, "timestamp" DESC);
CREATE INDEX code_events_repo_id_timestamp_idx
    ON telemetry.code_events (repo_id, "timestamp" DESC);
CREATE INDEX code_events_commit_sha_idx
    ON telemetry.code_events (commit_sha)
    WHERE commit_sha IS NOT NULL;
CREATE INDEX code_events_repo_id_event_type_timestamp_idx
    ON telemetry.code_events (repo_id, event_type, "timestamp");

SELECT codeverify.create_partitions('telemetry.code_events', 'month', 1, 3);

COMMENT ON TABLE telemetry.code_events IS 'Raw events of repositories as webhooks report them: append-only, partitioned by UTC month, kept for good.';
COMMENT ON COLUMN telemetry.code_events.id IS 'Number of the event; primary key together with timestamp.';
COMMENT ON COLUMN telemetry.code_events.org_id IS 'Organization that owns the repository.';
COMMENT ON COLUMN telemetry.code_events.repo_id IS 'Repository that the event is about, in scm.repositories.';
COMMENT ON COLUMN telemetry.code_events."timestamp" IS 'When it happened; decides the partition.';
COMMENT ON COLUMN telemetry.code_events.commit_sha IS 'Commit that the event is about, 40 or 64 lower-case hex digits; it need not be attributed yet.';
COMMENT ON COLUMN telemetry.code_events.event_type IS 'What happened.';
COMMENT ON COLUMN telemetry.code_events.metadata IS 'Payload of the event, a JSON object that depends on the event type.';
COMMENT ON TABLE telemetry.code_events_default IS 'Events of months that have no partition of their own.';
