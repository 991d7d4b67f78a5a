CREATE TABLE projects.project_policies (
    id         uuid        NOT NULL DEFAULT gen_random_uuid(),
    project_id uuid        NOT NULL,
    policy_id  uuid        NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    org_id     uuid        NOT NULL DEFAULT tenancy.current_org_id(),
    CONSTRAINT project_policies_pkey PRIMARY KEY (id),
    CONSTRAINT project_policies_org_id_project_id_policy_id_key UNIQUE (org_id, project_id, policy_id),
    CONSTRAINT project_policies_org_id_project_id_fkey FOREIGN KEY (org_id, project_id)
        REFERENCES projects.projects (org_id, id) ON DELETE CASCADE,
    CONSTRAINT project_policies_org_id_policy_id_fkey FOREIGN KEY (org_id, policy_id)
        REFERENCES projects.policies (org_id, id) ON DELETE CASCADE
);

CREATE INDEX project_policies_project_id_idx ON projects.project_policies (project_id);
CREATE INDEX project_policies_policy_id_idx ON projects.project_policies (policy_id);

COMMENT ON TABLE projects.project_policies IS 'Which policies hold for which projects.';
COMMENT ON COLUMN projects.project_policies.id IS 'Primary key.';
COMMENT ON COLUMN projects.project_policies.project_id IS 'Project that the policy holds for.';
COMMENT ON COLUMN projects.project_policies.policy_id IS 'Policy that is attached.';
COMMENT ON COLUMN projects.project_policies.created_at IS 'When the policy was attached.';
COMMENT ON COLUMN projects.project_policies.org_id IS 'Organization that owns the project and the policy.';
