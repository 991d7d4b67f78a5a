CREATE TABLE observability.alert_firings (
    rule_id     uuid        NOT NULL,
    fingerprint text        NOT NULL,
    fired_at    timestamptz NOT NULL DEFAULT now(),
    org_id      uuid        NOT NULL DEFAULT tenancy.current_org_id(),
    CONSTRAINT alert_firings_pkey PRIMARY KEY (rule_id, fingerprint),
    CONSTRAINT alert_firings_org_id_rule_id_fkey FOREIGN KEY (org_id, rule_id)
        REFERENCES observability.alert_rules (org_id, id) ON DELETE CASCADE,
    CONSTRAINT alert_firings_fingerprint_check CHECK (length(fingerprint) BETWEEN 1 AND 255)
);

CREATE INDEX alert_firings_org_id_fired_at_idx
    ON observability.alert_firings (org_id, fired_at DESC);

CREATE INDEX alert_firings_fired_at_idx
    ON observability.alert_firings (fired_at);

COMMENT ON TABLE observability.alert_firings IS 'State of alerts: when a rule last fired for a fingerprint.';
COMMENT ON COLUMN observability.alert_firings.rule_id IS 'Rule that fired.';
COMMENT ON COLUMN observability.alert_firings.fingerprint IS 'What it fired for, 1 to 255 characters; the same cause has the same fingerprint.';
COMMENT ON COLUMN observability.alert_firings.fired_at IS 'When it last fired.';
COMMENT ON COLUMN observability.alert_firings.org_id IS 'Organization that owns the rule.';
