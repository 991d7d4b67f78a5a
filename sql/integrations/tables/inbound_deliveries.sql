CREATE TABLE integrations.inbound_deliveries (
    id           uuid        NOT NULL DEFAULT gen_random_uuid(),
    provider     text        NOT NULL,
    delivery_id  text        NOT NULL,
    event        text        NOT NULL,
    payload_hash text        NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    org_id       uuid        DEFAULT tenancy.current_org_id(),
    CONSTRAINT inbound_deliveries_pkey PRIMARY KEY (id),
    CONSTRAINT uq_webhook_delivery_provider_id UNIQUE (provider, delivery_id),
    CONSTRAINT inbound_deliveries_org_id_fkey FOREIGN KEY (org_id)
        REFERENCES tenancy.organizations (id) ON DELETE CASCADE,
    CONSTRAINT inbound_deliveries_provider_check CHECK (length(provider) BETWEEN 1 AND 255),
    CONSTRAINT inbound_deliveries_delivery_id_check CHECK (length(delivery_id) BETWEEN 1 AND 255),
    CONSTRAINT inbound_deliveries_event_check CHECK (length(event) BETWEEN 1 AND 255),
    CONSTRAINT inbound_deliveries_payload_hash_check CHECK (payload_hash ~ '^[0-9a-f]{64}$')
);

CREATE INDEX inbound_deliveries_created_at_idx
    ON integrations.inbound_deliveries (created_at);

CREATE INDEX inbound_deliveries_org_id_created_at_idx
    ON integrations.inbound_deliveries (org_id, created_at DESC);

COMMENT ON TABLE integrations.inbound_deliveries IS 'Webhook deliveries that came in, so that each is handled once. Not partitioned: a delivery is known again whenever it comes.';
COMMENT ON COLUMN integrations.inbound_deliveries.id IS 'Primary key.';
COMMENT ON COLUMN integrations.inbound_deliveries.provider IS 'Who delivered, such as github, 1 to 255 characters.';
COMMENT ON COLUMN integrations.inbound_deliveries.delivery_id IS 'The provider''s identifier of the delivery, such as GitHub''s GUID, unique for the provider.';
COMMENT ON COLUMN integrations.inbound_deliveries.event IS 'Type of the event, such as workflow_run, 1 to 255 characters.';
COMMENT ON COLUMN integrations.inbound_deliveries.payload_hash IS 'SHA-256 of the body, 64 hexadecimal digits.';
COMMENT ON COLUMN integrations.inbound_deliveries.created_at IS 'When the delivery came in.';
COMMENT ON COLUMN integrations.inbound_deliveries.org_id IS 'Organization that the delivery concerns; NULL until that is known.';
