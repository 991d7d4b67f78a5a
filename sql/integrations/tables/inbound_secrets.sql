CREATE TABLE integrations.inbound_secrets (
    id               uuid        NOT NULL DEFAULT gen_random_uuid(),
    provider         text        NOT NULL,
    org_id           uuid        DEFAULT tenancy.current_org_id(),
    secret_encrypted text        NOT NULL,
    created_at       timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT inbound_secrets_pkey PRIMARY KEY (id),
    CONSTRAINT inbound_secrets_org_id_fkey FOREIGN KEY (org_id)
        REFERENCES tenancy.organizations (id) ON DELETE CASCADE,
    CONSTRAINT inbound_secrets_provider_check CHECK (provider IN ('github'))
);

CREATE INDEX inbound_secrets_org_id_provider_idx
    ON integrations.inbound_secrets (org_id, provider);

COMMENT ON TABLE integrations.inbound_secrets IS 'Secrets that inbound deliveries are signed with. Several are good at a time, so that one can be changed for another.';
COMMENT ON COLUMN integrations.inbound_secrets.id IS 'Primary key.';
COMMENT ON COLUMN integrations.inbound_secrets.provider IS 'Who signs with it: github.';
COMMENT ON COLUMN integrations.inbound_secrets.org_id IS 'Organization whose own webhooks are signed with it, and whose repositories alone such deliveries may be about; NULL for the secret of the GitHub App.';
COMMENT ON COLUMN integrations.inbound_secrets.secret_encrypted IS 'The secret, encrypted. Not readable by tenants.';
COMMENT ON COLUMN integrations.inbound_secrets.created_at IS 'When the secret was set.';
