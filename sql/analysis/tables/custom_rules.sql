CREATE TABLE analysis.custom_rules (
    id          uuid        NOT NULL DEFAULT gen_random_uuid(),
    org_id      uuid        NOT NULL DEFAULT tenancy.current_org_id(),
    repo_id     uuid,
    name        text        NOT NULL,
    description text,
    rule_type   text        NOT NULL,
    rule_config jsonb       NOT NULL,
    severity    text        NOT NULL DEFAULT 'warning',
    enabled     boolean     NOT NULL DEFAULT true,
    created_by  uuid        DEFAULT tenancy.current_user_id(),
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT custom_rules_pkey PRIMARY KEY (id),
    CONSTRAINT custom_rules_org_id_fkey FOREIGN KEY (org_id)
        REFERENCES tenancy.organizations (id) ON DELETE CASCADE,
    CONSTRAINT custom_rules_org_id_repo_id_fkey FOREIGN KEY (org_id, repo_id)
        REFERENCES scm.repositories (org_id, id) ON DELETE CASCADE,
    CONSTRAINT custom_rules_created_by_fkey FOREIGN KEY (created_by)
        REFERENCES auth.users (id) ON DELETE SET NULL,
    CONSTRAINT custom_rules_name_check CHECK (length(name) BETWEEN 1 AND 255),
    CONSTRAINT custom_rules_rule_type_check CHECK (rule_type IN ('pattern', 'ast', 'semantic')),
    CONSTRAINT custom_rules_rule_config_check CHECK (jsonb_typeof(rule_config) = 'object'),
    CONSTRAINT custom_rules_severity_check CHECK (length(severity) BETWEEN 1 AND 50)
);

CREATE INDEX custom_rules_org_id_repo_id_idx
    ON analysis.custom_rules (org_id, repo_id);

CREATE INDEX custom_rules_created_by_idx
    ON analysis.custom_rules (created_by)
    WHERE created_by IS NOT NULL;

COMMENT ON TABLE analysis.custom_rules IS 'Rules that an organization adds to the analyses of all its repositories or of one.';
COMMENT ON COLUMN analysis.custom_rules.id IS 'Primary key.';
COMMENT ON COLUMN analysis.custom_rules.org_id IS 'Organization that the rule belongs to.';
COMMENT ON COLUMN analysis.custom_rules.repo_id IS 'The one repository that the rule is for; NULL for all of the organization.';
COMMENT ON COLUMN analysis.custom_rules.name IS 'Name of the rule, 1 to 255 characters.';
COMMENT ON COLUMN analysis.custom_rules.description IS 'What the rule finds and why.';
COMMENT ON COLUMN analysis.custom_rules.rule_type IS 'How rule_config is read: pattern, ast or semantic.';
COMMENT ON COLUMN analysis.custom_rules.rule_config IS 'The rule itself, a JSON object.';
COMMENT ON COLUMN analysis.custom_rules.severity IS 'Severity of what the rule finds, 1 to 50 characters such as warning or high.';
COMMENT ON COLUMN analysis.custom_rules.enabled IS 'Whether the rule is applied.';
COMMENT ON COLUMN analysis.custom_rules.created_by IS 'User who made the rule; NULL for an API key or a deleted user.';
COMMENT ON COLUMN analysis.custom_rules.created_at IS 'When the row was created.';
COMMENT ON COLUMN analysis.custom_rules.updated_at IS 'When the row was last changed; kept by a trigger.';
