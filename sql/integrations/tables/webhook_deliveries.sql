CREATE TABLE integrations.webhook_deliveries (
    id              uuid        NOT NULL DEFAULT gen_random_uuid(),
    webhook_id      uuid        NOT NULL,
    event           text        NOT NULL,
    payload         jsonb       NOT NULL,
    response_status integer,
    response_body   text,
    success         boolean     NOT NULL DEFAULT false,
    delivered_at    timestamptz NOT NULL DEFAULT now(),
    org_id          uuid        NOT NULL DEFAULT tenancy.current_org_id(),
    CONSTRAINT webhook_deliveries_pkey PRIMARY KEY (id, delivered_at),
    CONSTRAINT webhook_deliveries_org_id_webhook_id_fkey FOREIGN KEY (org_id, webhook_id)
        REFERENCES integrations.webhooks (org_id, id) ON DELETE CASCADE,
    CONSTRAINT webhook_deliveries_event_check CHECK (length(event) BETWEEN 1 AND 100),
    CONSTRAINT webhook_deliveries_payload_check CHECK (jsonb_typeof(payload) IN ('object', 'array')),
    CONSTRAINT webhook_deliveries_response_status_check CHECK (response_status BETWEEN 100 AND 999)
)
PARTITION BY RANGE (delivered_at);

CREATE INDEX ix_webhook_deliveries_webhook_id
    ON integrations.webhook_deliveries (webhook_id);

CREATE INDEX ix_webhook_deliveries_delivered_at
    ON integrations.webhook_deliveries (delivered_at);

CREATE INDEX webhook_deliveries_org_id_delivered_at_idx
    ON integrations.webhook_deliveries (org_id, delivered_at DESC);

COMMENT ON TABLE integrations.webhook_deliveries IS 'Attempts to deliver an event to a webhook, by month of delivered_at. Filled by the delivering service.';
COMMENT ON COLUMN integrations.webhook_deliveries.id IS 'Identifier of the attempt; primary key together with delivered_at.';
COMMENT ON COLUMN integrations.webhook_deliveries.webhook_id IS 'Webhook that was delivered to.';
COMMENT ON COLUMN integrations.webhook_deliveries.event IS 'Type of the event, 1 to 100 characters.';
COMMENT ON COLUMN integrations.webhook_deliveries.payload IS 'What was delivered, a JSON object or array.';
COMMENT ON COLUMN integrations.webhook_deliveries.response_status IS 'HTTP status of the response, from 100 to 999; NULL when there was no response.';
COMMENT ON COLUMN integrations.webhook_deliveries.response_body IS 'Body of the response.';
COMMENT ON COLUMN integrations.webhook_deliveries.success IS 'Whether the delivery succeeded.';
COMMENT ON COLUMN integrations.webhook_deliveries.delivered_at IS 'When the attempt was made.';
COMMENT ON COLUMN integrations.webhook_deliveries.org_id IS 'Organization of the webhook.';

CREATE TABLE integrations.webhook_deliveries_default PARTITION OF integrations.webhook_deliveries DEFAULT;

COMMENT ON TABLE integrations.webhook_deliveries_default IS 'Attempts of months that have no partition of their own.';

SELECT codeverify.create_partitions('integrations.webhook_deliveries', 'month', 1, 3);
