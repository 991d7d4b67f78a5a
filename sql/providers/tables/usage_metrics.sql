CREATE TABLE providers.usage_metrics (
    id             uuid        NOT NULL DEFAULT gen_random_uuid(),
    user_id        uuid        NOT NULL,
    provider       text        NOT NULL,
    model          text        NOT NULL,
    date           date        NOT NULL,
    period         text        NOT NULL DEFAULT 'day',
    requests_count bigint      NOT NULL DEFAULT 0,
    tokens_input   bigint      NOT NULL DEFAULT 0,
    tokens_output  bigint      NOT NULL DEFAULT 0,
    cost_usd       numeric     NOT NULL DEFAULT 0,
    created_at     timestamptz NOT NULL DEFAULT now(),
    updated_at     timestamptz NOT NULL DEFAULT now(),
    org_id         uuid        NOT NULL DEFAULT tenancy.current_org_id(),
    CONSTRAINT usage_metrics_pkey PRIMARY KEY (id),
    CONSTRAINT usage_metrics_org_id_user_id_provider_model_date_period_key
        UNIQUE (org_id, user_id, provider, model, date, period),
    CONSTRAINT usage_metrics_org_id_fkey FOREIGN KEY (org_id)
        REFERENCES tenancy.organizations (id) ON DELETE CASCADE,
    CONSTRAINT usage_metrics_user_id_fkey FOREIGN KEY (user_id)
        REFERENCES auth.users (id) ON DELETE CASCADE,
    CONSTRAINT usage_metrics_period_check CHECK (period IN ('day', 'week', 'month')),
    CONSTRAINT usage_metrics_requests_count_check CHECK (requests_count >= 0),
    CONSTRAINT usage_metrics_tokens_input_check CHECK (tokens_input >= 0),
    CONSTRAINT usage_metrics_tokens_output_check CHECK (tokens_output >= 0),
    -- NaN counts as greater than all numbers.
    CONSTRAINT usage_metrics_cost_usd_check CHECK (cost_usd >= 0 AND cost_usd < 'Infinity')
);

CREATE INDEX usage_metrics_user_id_date_idx ON providers.usage_metrics (user_id, date DESC);
CREATE INDEX usage_metrics_org_id_period_date_idx ON providers.usage_metrics (org_id, period, date DESC);

COMMENT ON TABLE providers.usage_metrics IS 'What users used of AI providers by UTC day, week and month, computed ahead from providers.usage_tracking for charts; it stays when rows there are packed or past retention. Each user sees its own.';
COMMENT ON COLUMN providers.usage_metrics.id IS 'Primary key.';
COMMENT ON COLUMN providers.usage_metrics.user_id IS 'User who used it.';
COMMENT ON COLUMN providers.usage_metrics.provider IS 'Name of the provider.';
COMMENT ON COLUMN providers.usage_metrics.model IS 'Name of the model.';
COMMENT ON COLUMN providers.usage_metrics.date IS 'First day of the period, in UTC; a week begins on Monday.';
COMMENT ON COLUMN providers.usage_metrics.period IS 'Length of the period: day, week or month.';
COMMENT ON COLUMN providers.usage_metrics.requests_count IS 'Number of requests.';
COMMENT ON COLUMN providers.usage_metrics.tokens_input IS 'Number of tokens sent.';
COMMENT ON COLUMN providers.usage_metrics.tokens_output IS 'Number of tokens received.';
COMMENT ON COLUMN providers.usage_metrics.cost_usd IS 'What it cost, in US dollars.';
COMMENT ON COLUMN providers.usage_metrics.created_at IS 'When the row was created.';
COMMENT ON COLUMN providers.usage_metrics.updated_at IS 'When the row was last changed; kept by a trigger.';
COMMENT ON COLUMN providers.usage_metrics.org_id IS 'Organization that the user used it in.';
