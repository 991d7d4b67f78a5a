CREATE TABLE observability.alert_rules (
    id          uuid        NOT NULL DEFAULT gen_random_uuid(),
    type        text        NOT NULL,
    params_json jsonb       NOT NULL DEFAULT '{}',
    org_id      uuid        NOT NULL DEFAULT tenancy.current_org_id(),
    enabled     boolean     NOT NULL DEFAULT true,
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT alert_rules_pkey PRIMARY KEY (id),
    CONSTRAINT alert_rules_org_id_id_key UNIQUE (org_id, id),
    CONSTRAINT alert_rules_org_id_fkey FOREIGN KEY (org_id)
        REFERENCES tenancy.organizations (id) ON DELETE CASCADE,
    CONSTRAINT alert_rules_type_check CHECK (type IN ('error_count', 'deployment_failure')),
    CONSTRAINT alert_rules_params_json_check CHECK (jsonb_typeof(params_json) = 'object')
);

COMMENT ON TABLE observability.alert_rules IS 'Conditions on which an organization wants to be alerted.';
COMMENT ON COLUMN observability.alert_rules.id IS 'Primary key.';
COMMENT ON COLUMN observability.alert_rules.type IS 'What is watched: error_count or deployment_failure.';
COMMENT ON COLUMN observability.alert_rules.params_json IS 'Thresholds and other parameters of the rule, a JSON object that depends on the type.';
COMMENT ON COLUMN observability.alert_rules.org_id IS 'Organization that owns the rule.';
COMMENT ON COLUMN observability.alert_rules.enabled IS 'Whether the rule is evaluated.';
COMMENT ON COLUMN observability.alert_rules.created_at IS 'When the row was created.';
COMMENT ON COLUMN observability.alert_rules.updated_at IS 'When the row was last changed; kept by a trigger.';
