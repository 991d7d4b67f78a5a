CREATE TABLE auth.api_key_rate_buckets (
    api_key_id   uuid        NOT NULL,
    window_start timestamptz NOT NULL,
    count        integer     NOT NULL DEFAULT 0,
    org_id       uuid        NOT NULL DEFAULT tenancy.current_org_id(),
    CONSTRAINT api_key_rate_buckets_pkey PRIMARY KEY (api_key_id, window_start),
    CONSTRAINT api_key_rate_buckets_org_id_api_key_id_fkey FOREIGN KEY (org_id, api_key_id)
        REFERENCES auth.api_keys (org_id, id) ON DELETE CASCADE,
    -- In UTC, because date_trunc() on timestamptz depends on the session's time zone.
    CONSTRAINT api_key_rate_buckets_window_start_check CHECK (
        date_trunc('minute', window_start AT TIME ZONE 'UTC') = window_start AT TIME ZONE 'UTC'
    ),
    CONSTRAINT api_key_rate_buckets_count_check CHECK (count >= 0)
);

CREATE INDEX api_key_rate_buckets_org_id_window_start_idx
    ON auth.api_key_rate_buckets (org_id, window_start);

-- Old rows are removed whosever they are.
CREATE INDEX api_key_rate_buckets_window_start_idx
    ON auth.api_key_rate_buckets (window_start);

COMMENT ON TABLE auth.api_key_rate_buckets IS 'How often each API key was used in each minute, for rate limits.';
COMMENT ON COLUMN auth.api_key_rate_buckets.api_key_id IS 'Key that was used.';
COMMENT ON COLUMN auth.api_key_rate_buckets.window_start IS 'Start of the minute, a whole minute.';
COMMENT ON COLUMN auth.api_key_rate_buckets.count IS 'Uses in that minute.';
COMMENT ON COLUMN auth.api_key_rate_buckets.org_id IS 'Organization that the key acts for.';
