CREATE TABLE providers.user_quotas (
    id                 uuid        NOT NULL DEFAULT gen_random_uuid(),
    user_id            uuid        NOT NULL,
    daily_limit        integer,
    monthly_limit      integer,
    daily_cost_limit   numeric,
    monthly_cost_limit numeric,
    created_at         timestamptz NOT NULL DEFAULT now(),
    updated_at         timestamptz NOT NULL DEFAULT now(),
    org_id             uuid        NOT NULL DEFAULT tenancy.current_org_id(),
    CONSTRAINT user_quotas_pkey PRIMARY KEY (id),
    CONSTRAINT user_quotas_org_id_user_id_key UNIQUE (org_id, user_id),
    CONSTRAINT user_quotas_org_id_fkey FOREIGN KEY (org_id)
        REFERENCES tenancy.organizations (id) ON DELETE CASCADE,
    CONSTRAINT user_quotas_user_id_fkey FOREIGN KEY (user_id)
        REFERENCES auth.users (id) ON DELETE CASCADE,
    CONSTRAINT user_quotas_daily_limit_check CHECK (daily_limit >= 0),
    CONSTRAINT user_quotas_monthly_limit_check CHECK (monthly_limit >= 0),
    -- NaN counts as greater than all numbers.
    CONSTRAINT user_quotas_daily_cost_limit_check CHECK (daily_cost_limit >= 0 AND daily_cost_limit < 'Infinity'),
    CONSTRAINT user_quotas_monthly_cost_limit_check CHECK (monthly_cost_limit >= 0 AND monthly_cost_limit < 'Infinity')
);

CREATE INDEX user_quotas_user_id_idx ON providers.user_quotas (user_id);

COMMENT ON TABLE providers.user_quotas IS 'What a user may spend on AI providers; one row per user in an organization.';
COMMENT ON COLUMN providers.user_quotas.id IS 'Primary key.';
COMMENT ON COLUMN providers.user_quotas.user_id IS 'User that the limits are for.';
COMMENT ON COLUMN providers.user_quotas.daily_limit IS 'Requests per UTC day; NULL for no limit.';
COMMENT ON COLUMN providers.user_quotas.monthly_limit IS 'Requests per UTC month; NULL for no limit.';
COMMENT ON COLUMN providers.user_quotas.daily_cost_limit IS 'Cost per UTC day, in US dollars; NULL for no limit.';
COMMENT ON COLUMN providers.user_quotas.monthly_cost_limit IS 'Cost per UTC month, in US dollars; NULL for no limit.';
COMMENT ON COLUMN providers.user_quotas.created_at IS 'When the row was created.';
COMMENT ON COLUMN providers.user_quotas.updated_at IS 'When the row was last changed; kept by a trigger.';
COMMENT ON COLUMN providers.user_quotas.org_id IS 'Organization that the limits hold in.';
