CREATE TABLE observability.alert_firings (
    rule_id      uuid        NOT NULL,
    fingerprint  text        NOT NULL,
    fired_at     timestamptz NOT NULL DEFAULT now(),
    org_id       uuid        NOT NULL DEFAULT tenancy.current_org_id(),
    state        text        NOT NULL DEFAULT 'firing',
    evaluated_at timestamptz NOT NULL DEFAULT now(),
    recovered_at timestamptz,
    observed     numeric,
    threshold    numeric,
    incident_id  uuid,
    CONSTRAINT alert_firings_pkey PRIMARY KEY (rule_id, fingerprint),
    CONSTRAINT alert_firings_org_id_rule_id_fkey FOREIGN KEY (org_id, rule_id)
        REFERENCES observability.alert_rules (org_id, id) ON DELETE CASCADE,
    CONSTRAINT alert_firings_org_id_incident_id_fkey FOREIGN KEY (org_id, incident_id)
        REFERENCES observability.incidents (org_id, id) ON DELETE SET NULL (incident_id),
    CONSTRAINT alert_firings_fingerprint_check CHECK (length(fingerprint) BETWEEN 1 AND 255),
    CONSTRAINT alert_firings_state_check CHECK (state IN ('firing', 'recovered')),
    CONSTRAINT alert_firings_state_recovered_at_check CHECK ((state = 'recovered') = (recovered_at IS NOT NULL))
) WITH (fillfactor = 50);

CREATE INDEX alert_firings_org_id_fired_at_idx
    ON observability.alert_firings (org_id, fired_at DESC);
CREATE INDEX alert_firings_incident_id_idx
    ON observability.alert_firings (incident_id)
    WHERE incident_id IS NOT NULL;

CREATE INDEX alert_firings_fired_at_idx
    ON observability.alert_firings (fired_at);

COMMENT ON TABLE observability.alert_firings IS 'State of alerts: when a rule last fired for a fingerprint, and whether its condition still holds.';
COMMENT ON COLUMN observability.alert_firings.rule_id IS 'Rule that fired.';
COMMENT ON COLUMN observability.alert_firings.fingerprint IS 'What it fired for, 1 to 255 characters; the same cause has the same fingerprint.';
COMMENT ON COLUMN observability.alert_firings.fired_at IS 'When it last fired; the cool-down begins then.';
COMMENT ON COLUMN observability.alert_firings.org_id IS 'Organization that owns the rule.';
COMMENT ON COLUMN observability.alert_firings.state IS 'firing while the condition holds, recovered after.';
COMMENT ON COLUMN observability.alert_firings.evaluated_at IS 'As of when observed and state are.';
COMMENT ON COLUMN observability.alert_firings.recovered_at IS 'When the condition was first found to be over; NULL while it holds.';
COMMENT ON COLUMN observability.alert_firings.observed IS 'What was counted then; NULL when something else fired it.';
COMMENT ON COLUMN observability.alert_firings.threshold IS 'The rule''s threshold then.';
COMMENT ON COLUMN observability.alert_firings.incident_id IS 'Incident that the last firing opened or came under; NULL when it was deleted.';
