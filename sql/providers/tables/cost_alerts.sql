CREATE TABLE providers.cost_alerts (
    id                   uuid        NOT NULL DEFAULT gen_random_uuid(),
    user_id              uuid        NOT NULL,
    alert_type           text        NOT NULL,
    threshold_percentage integer     NOT NULL,
    triggered_at         timestamptz NOT NULL DEFAULT now(),
    acknowledged         boolean     NOT NULL DEFAULT false,
    acknowledged_at      timestamptz,
    org_id               uuid        NOT NULL DEFAULT tenancy.current_org_id(),
    CONSTRAINT cost_alerts_pkey PRIMARY KEY (id),
    CONSTRAINT cost_alerts_org_id_fkey FOREIGN KEY (org_id)
        REFERENCES tenancy.organizations (id) ON DELETE CASCADE,
    CONSTRAINT cost_alerts_user_id_fkey FOREIGN KEY (user_id)
        REFERENCES auth.users (id) ON DELETE CASCADE,
    CONSTRAINT cost_alerts_alert_type_check CHECK (
        alert_type IN ('daily_80', 'daily_90', 'daily_100', 'monthly_80', 'monthly_90', 'monthly_100')),
    CONSTRAINT cost_alerts_threshold_percentage_check CHECK (threshold_percentage BETWEEN 0 AND 100),
    CONSTRAINT cost_alerts_triggered_at_acknowledged_at_check CHECK (acknowledged_at >= triggered_at)
);

CREATE INDEX cost_alerts_org_id_user_id_idx ON providers.cost_alerts (org_id, user_id);
CREATE INDEX cost_alerts_user_id_idx ON providers.cost_alerts (user_id);
CREATE INDEX cost_alerts_triggered_at_idx ON providers.cost_alerts (triggered_at);
CREATE INDEX cost_alerts_acknowledged_idx ON providers.cost_alerts (acknowledged);

COMMENT ON TABLE providers.cost_alerts IS 'Alerts that a user came near a cost limit, or reached it.';
COMMENT ON COLUMN providers.cost_alerts.id IS 'Primary key.';
COMMENT ON COLUMN providers.cost_alerts.user_id IS 'User who is alerted.';
COMMENT ON COLUMN providers.cost_alerts.alert_type IS 'Limit and share of it: daily_80, daily_90, daily_100, monthly_80, monthly_90 or monthly_100.';
COMMENT ON COLUMN providers.cost_alerts.threshold_percentage IS 'Share of the limit that was passed, in percent, 0 to 100.';
COMMENT ON COLUMN providers.cost_alerts.triggered_at IS 'When the alert was raised.';
COMMENT ON COLUMN providers.cost_alerts.acknowledged IS 'Whether the user has seen it.';
COMMENT ON COLUMN providers.cost_alerts.acknowledged_at IS 'When the user said so, not before triggered_at; NULL until then.';
COMMENT ON COLUMN providers.cost_alerts.org_id IS 'Organization that the limit holds in.';
