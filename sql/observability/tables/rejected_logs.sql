-- The entry is text: it may be cut, and what is cut is no JSON.
CREATE TABLE observability.rejected_logs (
    id          uuid        NOT NULL DEFAULT gen_random_uuid(),
    org_id      uuid        NOT NULL DEFAULT tenancy.current_org_id(),
    received_at timestamptz NOT NULL DEFAULT now(),
    reason      text        NOT NULL,
    entry       text        NOT NULL,
    CONSTRAINT rejected_logs_pkey PRIMARY KEY (id),
    CONSTRAINT rejected_logs_org_id_fkey FOREIGN KEY (org_id)
        REFERENCES tenancy.organizations (id) ON DELETE CASCADE,
    CONSTRAINT rejected_logs_reason_check CHECK (reason IN (
        'invalid_json', 'not_an_object', 'invalid_service_id', 'unknown_service', 'invalid_environment_id',
        'unknown_environment', 'invalid_ts', 'ts_in_future', 'invalid_level', 'no_message', 'invalid_message', 'message_too_long',
        'invalid_meta')),
    CONSTRAINT rejected_logs_entry_check CHECK (char_length(entry) <= 10000)
);

CREATE INDEX rejected_logs_org_id_received_at_idx
    ON observability.rejected_logs (org_id, received_at DESC);
CREATE INDEX rejected_logs_received_at_idx
    ON observability.rejected_logs (received_at);

COMMENT ON TABLE observability.rejected_logs IS 'Log lines that observability.ingest_logs() did not take, each with the reason.';
COMMENT ON COLUMN observability.rejected_logs.id IS 'Primary key.';
COMMENT ON COLUMN observability.rejected_logs.org_id IS 'Organization that sent the line.';
COMMENT ON COLUMN observability.rejected_logs.received_at IS 'When it was sent; decides when it is deleted.';
COMMENT ON COLUMN observability.rejected_logs.reason IS 'What was wrong, the first fault that was found, such as unknown_service.';
COMMENT ON COLUMN observability.rejected_logs.entry IS 'The line as JSON text, of a long one the first 10,000 characters.';
