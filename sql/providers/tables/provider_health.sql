CREATE TABLE providers.provider_health (
    id                   uuid        NOT NULL DEFAULT gen_random_uuid(),
    provider_id          uuid        NOT NULL,
    is_healthy           boolean     NOT NULL DEFAULT true,
    last_check_at        timestamptz,
    last_error           text,
    consecutive_failures integer     NOT NULL DEFAULT 0,
    response_time_ms     numeric,
    success_rate         numeric,
    updated_at           timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT provider_health_pkey PRIMARY KEY (id),
    CONSTRAINT provider_health_provider_id_fkey FOREIGN KEY (provider_id)
        REFERENCES providers.providers (id) ON DELETE CASCADE,
    CONSTRAINT provider_health_consecutive_failures_check CHECK (consecutive_failures >= 0),
    -- NaN counts as greater than all numbers.
    CONSTRAINT provider_health_response_time_ms_check CHECK (response_time_ms >= 0 AND response_time_ms < 'Infinity'),
    CONSTRAINT provider_health_success_rate_check CHECK (success_rate BETWEEN 0 AND 1)
);

CREATE INDEX provider_health_provider_id_idx ON providers.provider_health (provider_id);
CREATE INDEX provider_health_is_healthy_idx ON providers.provider_health (is_healthy);

COMMENT ON TABLE providers.provider_health IS 'How AI providers do, as health checks find it; the same for all organizations.';
COMMENT ON COLUMN providers.provider_health.id IS 'Primary key.';
COMMENT ON COLUMN providers.provider_health.provider_id IS 'Provider that was checked.';
COMMENT ON COLUMN providers.provider_health.is_healthy IS 'Whether it answers as it should.';
COMMENT ON COLUMN providers.provider_health.last_check_at IS 'When it was last checked; NULL before the first check.';
COMMENT ON COLUMN providers.provider_health.last_error IS 'What went wrong last, without secrets: every organization may read it.';
COMMENT ON COLUMN providers.provider_health.consecutive_failures IS 'Number of failed checks since the last good one.';
COMMENT ON COLUMN providers.provider_health.response_time_ms IS 'How long an answer takes, in milliseconds.';
COMMENT ON COLUMN providers.provider_health.success_rate IS 'Share of checks that succeed, 0 to 1.';
COMMENT ON COLUMN providers.provider_health.updated_at IS 'When the row was last changed; kept by a trigger.';
