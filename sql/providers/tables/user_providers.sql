CREATE TABLE providers.user_providers (
    id                uuid        NOT NULL DEFAULT gen_random_uuid(),
    user_id           uuid        NOT NULL,
    provider_name     text,
    provider_type     text        NOT NULL,
    model_name        text,
    encrypted_api_key text,
    encrypted_dek     text,
    key_last_4_chars  text,
    is_active         boolean     NOT NULL DEFAULT true,
    created_at        timestamptz NOT NULL DEFAULT now(),
    updated_at        timestamptz NOT NULL DEFAULT now(),
    org_id            uuid        NOT NULL DEFAULT tenancy.current_org_id(),
    CONSTRAINT user_providers_pkey PRIMARY KEY (id),
    CONSTRAINT user_providers_org_id_user_id_provider_type_key UNIQUE (org_id, user_id, provider_type),
    CONSTRAINT user_providers_org_id_fkey FOREIGN KEY (org_id)
        REFERENCES tenancy.organizations (id) ON DELETE CASCADE,
    CONSTRAINT user_providers_user_id_fkey FOREIGN KEY (user_id)
        REFERENCES auth.users (id) ON DELETE CASCADE,
    CONSTRAINT user_providers_provider_name_check CHECK (length(provider_name) BETWEEN 1 AND 255),
    CONSTRAINT user_providers_provider_type_check CHECK (
        provider_type IN ('openai', 'anthropic', 'huggingface', 'local')),
    CONSTRAINT user_providers_model_name_check CHECK (length(model_name) BETWEEN 1 AND 255),
    CONSTRAINT user_providers_encrypted_api_key_check CHECK (length(encrypted_api_key) >= 1),
    CONSTRAINT user_providers_encrypted_dek_check CHECK (length(encrypted_dek) >= 1),
    CONSTRAINT user_providers_key_last_4_chars_check CHECK (length(key_last_4_chars) BETWEEN 1 AND 4)
);

CREATE INDEX user_providers_user_id_idx ON providers.user_providers (user_id);
CREATE INDEX user_providers_is_active_idx ON providers.user_providers (is_active);

COMMENT ON TABLE providers.user_providers IS 'Keys that users bring for AI providers, encrypted; each user sees its own, without the ciphertext.';
COMMENT ON COLUMN providers.user_providers.id IS 'Primary key.';
COMMENT ON COLUMN providers.user_providers.user_id IS 'User whose key it is.';
COMMENT ON COLUMN providers.user_providers.provider_name IS 'Name that the user gave it, 1 to 255 characters.';
COMMENT ON COLUMN providers.user_providers.provider_type IS 'Kind of provider: openai, anthropic, huggingface or local; one row for each in an organization.';
COMMENT ON COLUMN providers.user_providers.model_name IS 'Model that is called, 1 to 255 characters.';
COMMENT ON COLUMN providers.user_providers.encrypted_api_key IS 'The key, encrypted with AES-256-GCM under the data encryption key; tenants cannot read it.';
COMMENT ON COLUMN providers.user_providers.encrypted_dek IS 'The data encryption key, encrypted by the key management service; tenants cannot read it.';
COMMENT ON COLUMN providers.user_providers.key_last_4_chars IS 'Last four characters of the key, to tell keys apart.';
COMMENT ON COLUMN providers.user_providers.is_active IS 'Whether the key may be used.';
COMMENT ON COLUMN providers.user_providers.created_at IS 'When the row was created.';
COMMENT ON COLUMN providers.user_providers.updated_at IS 'When the row was last changed; kept by a trigger.';
COMMENT ON COLUMN providers.user_providers.org_id IS 'Organization that the user uses the key in.';
