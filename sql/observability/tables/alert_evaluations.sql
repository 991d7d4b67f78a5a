-- Apart from the rules, whose rows say what people decided: these change every minute.
CREATE TABLE observability.alert_evaluations (
    rule_id       uuid        NOT NULL,
    org_id        uuid        NOT NULL DEFAULT tenancy.current_org_id(),
    evaluated_at  timestamptz NOT NULL,
    last_error    text,
    last_error_at timestamptz,
    CONSTRAINT alert_evaluations_pkey PRIMARY KEY (rule_id),
    CONSTRAINT alert_evaluations_org_id_rule_id_fkey FOREIGN KEY (org_id, rule_id)
        REFERENCES observability.alert_rules (org_id, id) ON DELETE CASCADE,
    CONSTRAINT alert_evaluations_last_error_at_check CHECK ((last_error IS NULL) = (last_error_at IS NULL))
) WITH (fillfactor = 50);

CREATE INDEX alert_evaluations_org_id_rule_id_idx
    ON observability.alert_evaluations (org_id, rule_id);

COMMENT ON TABLE observability.alert_evaluations IS 'When each alert rule was last evaluated, and what went wrong.';
COMMENT ON COLUMN observability.alert_evaluations.rule_id IS 'The rule.';
COMMENT ON COLUMN observability.alert_evaluations.org_id IS 'Organization that owns the rule.';
COMMENT ON COLUMN observability.alert_evaluations.evaluated_at IS 'Latest time as of which it was evaluated; evaluations of times before change nothing.';
COMMENT ON COLUMN observability.alert_evaluations.last_error IS 'Why the last evaluation failed; NULL when it went well.';
COMMENT ON COLUMN observability.alert_evaluations.last_error_at IS 'When that was.';
