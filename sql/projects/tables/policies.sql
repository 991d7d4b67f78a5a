CREATE TABLE projects.policies (
    id          uuid        NOT NULL DEFAULT gen_random_uuid(),
    name        text        NOT NULL,
    description text,
    rego_code   text        NOT NULL,
    active      boolean     NOT NULL DEFAULT true,
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    org_id      uuid        NOT NULL DEFAULT tenancy.current_org_id(),
    CONSTRAINT policies_pkey PRIMARY KEY (id),
    CONSTRAINT policies_org_id_id_key UNIQUE (org_id, id),
    CONSTRAINT policies_org_id_name_key UNIQUE (org_id, name),
    CONSTRAINT policies_org_id_fkey FOREIGN KEY (org_id)
        REFERENCES tenancy.organizations (id) ON DELETE CASCADE,
    CONSTRAINT policies_name_check CHECK (length(name) BETWEEN 1 AND 255),
    CONSTRAINT policies_rego_code_check CHECK (length(rego_code) >= 1)
);

CREATE INDEX policies_active_idx ON projects.policies (active);

COMMENT ON TABLE projects.policies IS 'Policies of an organization, written in Rego; projects.project_policies attaches them to projects.';
COMMENT ON COLUMN projects.policies.id IS 'Primary key.';
COMMENT ON COLUMN projects.policies.name IS 'Name of the policy, 1 to 255 characters, unique in its organization.';
COMMENT ON COLUMN projects.policies.description IS 'What the policy is for.';
COMMENT ON COLUMN projects.policies.rego_code IS 'Source text in Rego, the language of Open Policy Agent.';
COMMENT ON COLUMN projects.policies.active IS 'Whether the policy is enforced.';
COMMENT ON COLUMN projects.policies.created_at IS 'When the row was created.';
COMMENT ON COLUMN projects.policies.updated_at IS 'When the row was last changed; kept by a trigger.';
COMMENT ON COLUMN projects.policies.org_id IS 'Organization that owns the policy.';
