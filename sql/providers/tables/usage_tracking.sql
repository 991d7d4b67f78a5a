CREATE TABLE providers.usage_tracking (
    id             bigserial   NOT NULL,
    user_id        uuid        NOT NULL,
    provider       text        NOT NULL,
    model          text        NOT NULL,
    date           date        NOT NULL DEFAULT (now() AT TIME ZONE 'UTC')::date,
    requests_count integer     NOT NULL DEFAULT 0,
    tokens_input   integer     NOT NULL DEFAULT 0,
    tokens_output  integer     NOT NULL DEFAULT 0,
    cost_usd       numeric     NOT NULL DEFAULT 0,
    created_at     timestamptz NOT NULL DEFAULT now(),
    org_id         uuid        NOT NULL DEFAULT tenancy.current_org_id(),
    CONSTRAINT usage_tracking_pkey PRIMARY KEY (id, date),
    CONSTRAINT usage_tracking_org_id_user_id_provider_model_date_key UNIQUE (org_id, user_id, provider, model, date),
    CONSTRAINT usage_tracking_org_id_fkey FOREIGN KEY (org_id)
        REFERENCES tenancy.organizations (id) ON DELETE CASCADE,
    CONSTRAINT usage_tracking_user_id_fkey FOREIGN KEY (user_id)
        REFERENCES auth.users (id) ON DELETE CASCADE,
    CONSTRAINT usage_tracking_provider_check CHECK (length(provider) BETWEEN 1 AND 255),
    CONSTRAINT usage_tracking_model_check CHECK (length(model) BETWEEN 1 AND 255),
    CONSTRAINT usage_tracking_requests_count_check CHECK (requests_count >= 0),
    CONSTRAINT usage_tracking_tokens_input_check CHECK (tokens_input >= 0),
    CONSTRAINT usage_tracking_tokens_output_check CHECK (tokens_output >= 0),
    -- What has no week or month in the calendar would stop the metrics.
    CONSTRAINT usage_tracking_date_check CHECK (date >= '1970-01-01' AND date < '10000-01-01'),
    -- NaN counts as greater than all numbers.
    CONSTRAINT usage_tracking_cost_usd_check CHECK (cost_usd >= 0 AND cost_usd < 'Infinity')
) PARTITION BY RANGE (date);

CREATE TABLE providers.usage_tracking_default PARTITION OF providers.usage_tracking DEFAULT;

CREATE INDEX usage_tracking_user_id_date_idx ON providers.usage_tracking (user_id, date);
CREATE INDEX usage_tracking_date_idx ON providers.usage_tracking (date);
CREATE INDEX usage_tracking_provider_idx ON providers.usage_tracking (provider);

SELECT codeverify.create_partitions('providers.usage_tracking', 'month', 1, 3);

COMMENT ON TABLE providers.usage_tracking IS 'What users used of AI providers, one row per user, provider, model and UTC day; partitioned by month.';
COMMENT ON COLUMN providers.usage_tracking.id IS 'Number of the row; primary key together with date.';
COMMENT ON COLUMN providers.usage_tracking.user_id IS 'User who used it.';
COMMENT ON COLUMN providers.usage_tracking.provider IS 'Name of the provider, 1 to 255 characters.';
COMMENT ON COLUMN providers.usage_tracking.model IS 'Name of the model, 1 to 255 characters.';
COMMENT ON COLUMN providers.usage_tracking.date IS 'UTC day that is counted; decides the partition.';
COMMENT ON COLUMN providers.usage_tracking.requests_count IS 'Number of requests.';
COMMENT ON COLUMN providers.usage_tracking.tokens_input IS 'Number of tokens sent.';
COMMENT ON COLUMN providers.usage_tracking.tokens_output IS 'Number of tokens received.';
COMMENT ON COLUMN providers.usage_tracking.cost_usd IS 'What it cost, in US dollars.';
COMMENT ON COLUMN providers.usage_tracking.created_at IS 'When the row was created.';
COMMENT ON COLUMN providers.usage_tracking.org_id IS 'Organization that the user used it in.';
COMMENT ON TABLE providers.usage_tracking_default IS 'Usage of months that have no partition of their own.';
