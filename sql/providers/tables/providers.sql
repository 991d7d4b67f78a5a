CREATE TABLE providers.providers (
    id                   uuid        NOT NULL DEFAULT gen_random_uuid(),
    name                 text        NOT NULL,
    provider_type        text        NOT NULL,
    model_name           text,
    api_endpoint         text,
    is_active            boolean     NOT NULL DEFAULT true,
    is_platform_provided boolean     NOT NULL DEFAULT false,
    cost_per_1k_tokens   numeric     NOT NULL DEFAULT 0,
    max_tokens           integer,
    timeout_seconds      integer,
    created_at           timestamptz NOT NULL DEFAULT now(),
    updated_at           timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT providers_pkey PRIMARY KEY (id),
    CONSTRAINT providers_name_key UNIQUE (name),
    CONSTRAINT providers_name_check CHECK (length(name) BETWEEN 1 AND 255),
    CONSTRAINT providers_provider_type_check CHECK (
        provider_type IN ('openai', 'anthropic', 'huggingface', 'local')),
    CONSTRAINT providers_model_name_check CHECK (length(model_name) BETWEEN 1 AND 255),
    CONSTRAINT providers_api_endpoint_check CHECK (api_endpoint ~* '^https?://[^\s]+$'),
    -- NaN counts as greater than all numbers.
    CONSTRAINT providers_cost_per_1k_tokens_check CHECK (cost_per_1k_tokens >= 0 AND cost_per_1k_tokens < 'Infinity'),
    CONSTRAINT providers_max_tokens_check CHECK (max_tokens >= 0),
    CONSTRAINT providers_timeout_seconds_check CHECK (timeout_seconds >= 0)
);

CREATE INDEX providers_is_active_idx ON providers.providers (is_active);
CREATE INDEX providers_provider_type_idx ON providers.providers (provider_type);

COMMENT ON TABLE providers.providers IS 'Catalogue of AI providers, the same for all organizations.';
COMMENT ON COLUMN providers.providers.id IS 'Primary key.';
COMMENT ON COLUMN providers.providers.name IS 'Name of the entry, 1 to 255 characters, unique.';
COMMENT ON COLUMN providers.providers.provider_type IS 'Kind of provider: openai, anthropic, huggingface or local.';
COMMENT ON COLUMN providers.providers.model_name IS 'Model that is called, 1 to 255 characters.';
COMMENT ON COLUMN providers.providers.api_endpoint IS 'Where it is called, an http or https URL; NULL for the provider''s usual one.';
COMMENT ON COLUMN providers.providers.is_active IS 'Whether it may be used.';
COMMENT ON COLUMN providers.providers.is_platform_provided IS 'Whether it works with the platform''s key; otherwise users bring their own.';
COMMENT ON COLUMN providers.providers.cost_per_1k_tokens IS 'Price of 1000 tokens, in US dollars.';
COMMENT ON COLUMN providers.providers.max_tokens IS 'Largest number of tokens in one request; NULL for no limit.';
COMMENT ON COLUMN providers.providers.timeout_seconds IS 'How long to wait for an answer, in seconds; NULL for no limit.';
COMMENT ON COLUMN providers.providers.created_at IS 'When the row was created.';
COMMENT ON COLUMN providers.providers.updated_at IS 'When the row was last changed; kept by a trigger.';
