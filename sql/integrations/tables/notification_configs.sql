CREATE TABLE integrations.notification_configs (
    id           uuid        NOT NULL DEFAULT gen_random_uuid(),
    org_id       uuid        NOT NULL DEFAULT tenancy.current_org_id(),
    channel_type text        NOT NULL,
    webhook_url  text,
    config       jsonb       NOT NULL DEFAULT '{}',
    events       jsonb       NOT NULL DEFAULT '[]',
    enabled      boolean     NOT NULL DEFAULT true,
    created_by   uuid        DEFAULT tenancy.current_user_id(),
    created_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT notification_configs_pkey PRIMARY KEY (id),
    CONSTRAINT notification_configs_org_id_fkey FOREIGN KEY (org_id)
        REFERENCES tenancy.organizations (id) ON DELETE CASCADE,
    CONSTRAINT notification_configs_created_by_fkey FOREIGN KEY (created_by)
        REFERENCES auth.users (id) ON DELETE SET NULL,
    CONSTRAINT notification_configs_channel_type_check CHECK (channel_type IN ('slack', 'teams', 'email')),
    CONSTRAINT notification_configs_webhook_url_check CHECK (webhook_url ~* '^https?://[^\s]+$'),
    CONSTRAINT notification_configs_config_check CHECK (jsonb_typeof(config) = 'object'),
    CONSTRAINT notification_configs_events_check CHECK (jsonb_typeof(events) = 'array')
);

CREATE INDEX ix_notification_configs_org_id
    ON integrations.notification_configs (org_id);

CREATE INDEX notification_configs_created_by_idx
    ON integrations.notification_configs (created_by)
    WHERE created_by IS NOT NULL;

COMMENT ON TABLE integrations.notification_configs IS 'Channels through which an organization is told of events.';
COMMENT ON COLUMN integrations.notification_configs.id IS 'Primary key.';
COMMENT ON COLUMN integrations.notification_configs.org_id IS 'Organization to tell.';
COMMENT ON COLUMN integrations.notification_configs.channel_type IS 'slack, teams or email.';
COMMENT ON COLUMN integrations.notification_configs.webhook_url IS 'HTTP or HTTPS URL that Slack or Teams gave for the channel; whoever has it can post.';
COMMENT ON COLUMN integrations.notification_configs.config IS 'Settings of the channel, such as the addresses to mail to, a JSON object.';
COMMENT ON COLUMN integrations.notification_configs.events IS 'Events to tell of, a JSON array of names.';
COMMENT ON COLUMN integrations.notification_configs.enabled IS 'Whether the channel is used.';
COMMENT ON COLUMN integrations.notification_configs.created_by IS 'User who set the channel up; NULL for an API key or a deleted user.';
COMMENT ON COLUMN integrations.notification_configs.created_at IS 'When the row was created.';
COMMENT ON COLUMN integrations.notification_configs.updated_at IS 'When the row was last changed; kept by a trigger.';
