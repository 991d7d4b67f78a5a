CREATE TABLE integrations.webhooks (
    id                uuid        NOT NULL DEFAULT gen_random_uuid(),
    org_id            uuid        NOT NULL DEFAULT tenancy.current_org_id(),
    url               text        NOT NULL,
    secret_hash       text,
    events            jsonb       NOT NULL DEFAULT '[]',
    active            boolean     NOT NULL DEFAULT true,
    last_triggered_at timestamptz,
    failure_count     integer     NOT NULL DEFAULT 0,
    created_by        uuid        DEFAULT tenancy.current_user_id(),
    created_at        timestamptz NOT NULL DEFAULT now(),
    updated_at        timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT webhooks_pkey PRIMARY KEY (id),
    CONSTRAINT webhooks_org_id_id_key UNIQUE (org_id, id),
    CONSTRAINT webhooks_org_id_fkey FOREIGN KEY (org_id)
        REFERENCES tenancy.organizations (id) ON DELETE CASCADE,
    CONSTRAINT webhooks_created_by_fkey FOREIGN KEY (created_by)
        REFERENCES auth.users (id) ON DELETE SET NULL,
    CONSTRAINT webhooks_url_check CHECK (url ~* '^https?://[^\s]+$'),
    CONSTRAINT webhooks_secret_hash_check CHECK (length(secret_hash) BETWEEN 1 AND 255),
    CONSTRAINT webhooks_events_check CHECK (jsonb_typeof(events) = 'array'),
    CONSTRAINT webhooks_failure_count_check CHECK (failure_count >= 0)
);

CREATE INDEX ix_webhooks_org_id
    ON integrations.webhooks (org_id);

CREATE INDEX webhooks_created_by_idx
    ON integrations.webhooks (created_by)
    WHERE created_by IS NOT NULL;

COMMENT ON TABLE integrations.webhooks IS 'Addresses of an organization that events are delivered to.';
COMMENT ON COLUMN integrations.webhooks.id IS 'Primary key.';
COMMENT ON COLUMN integrations.webhooks.org_id IS 'Organization that the webhook belongs to.';
COMMENT ON COLUMN integrations.webhooks.url IS 'HTTP or HTTPS URL to deliver to.';
COMMENT ON COLUMN integrations.webhooks.secret_hash IS 'Hash of the signing secret, at most 255 characters; NULL for unsigned deliveries. Not readable by tenants.';
COMMENT ON COLUMN integrations.webhooks.events IS 'Events to deliver, a JSON array of names.';
COMMENT ON COLUMN integrations.webhooks.active IS 'Whether events are delivered.';
COMMENT ON COLUMN integrations.webhooks.last_triggered_at IS 'When an event was last delivered or tried; filled by the delivering service.';
COMMENT ON COLUMN integrations.webhooks.failure_count IS 'Deliveries that failed since the last success; filled by the delivering service.';
COMMENT ON COLUMN integrations.webhooks.created_by IS 'User who made the webhook; NULL for an API key or a deleted user.';
COMMENT ON COLUMN integrations.webhooks.created_at IS 'When the row was created.';
COMMENT ON COLUMN integrations.webhooks.updated_at IS 'When the row was last changed; kept by a trigger.';
