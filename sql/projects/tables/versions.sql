CREATE TABLE projects.versions (
    id           uuid        NOT NULL DEFAULT gen_random_uuid(),
    project_id   uuid        NOT NULL,
    tag          text        NOT NULL,
    model_config jsonb       NOT NULL DEFAULT '{}',
    changelog    text,
    promoted_at  timestamptz,
    promoted_by  uuid,
    created_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now(),
    org_id       uuid        NOT NULL DEFAULT tenancy.current_org_id(),
    CONSTRAINT versions_pkey PRIMARY KEY (id),
    CONSTRAINT versions_org_id_id_key UNIQUE (org_id, id),
    CONSTRAINT versions_org_id_project_id_tag_key UNIQUE (org_id, project_id, tag),
    CONSTRAINT versions_org_id_project_id_fkey FOREIGN KEY (org_id, project_id)
        REFERENCES projects.projects (org_id, id) ON DELETE CASCADE,
    CONSTRAINT versions_promoted_by_fkey FOREIGN KEY (promoted_by)
        REFERENCES auth.users (id) ON DELETE SET NULL,
    CONSTRAINT versions_tag_check CHECK (tag IN ('v1', 'v2', 'v3')),
    CONSTRAINT versions_model_config_check CHECK (jsonb_typeof(model_config) = 'object')
);

CREATE INDEX versions_project_id_idx ON projects.versions (project_id);
CREATE INDEX versions_tag_idx ON projects.versions (tag);
CREATE INDEX versions_promoted_at_idx ON projects.versions (promoted_at);
CREATE INDEX versions_promoted_by_idx
    ON projects.versions (promoted_by)
    WHERE promoted_by IS NOT NULL;

COMMENT ON TABLE projects.versions IS 'Versions of a project, one for each tag.';
COMMENT ON COLUMN projects.versions.id IS 'Primary key.';
COMMENT ON COLUMN projects.versions.project_id IS 'Project that the version is of.';
COMMENT ON COLUMN projects.versions.tag IS 'Zone of the version: v1 (experimentation), v2 (production) or v3 (quarantine).';
COMMENT ON COLUMN projects.versions.model_config IS 'Configuration of the AI model, a JSON object.';
COMMENT ON COLUMN projects.versions.changelog IS 'What changed in this version.';
COMMENT ON COLUMN projects.versions.promoted_at IS 'When the version was promoted; NULL before.';
COMMENT ON COLUMN projects.versions.promoted_by IS 'User who promoted it; NULL when none did or the user was deleted.';
COMMENT ON COLUMN projects.versions.created_at IS 'When the row was created.';
COMMENT ON COLUMN projects.versions.updated_at IS 'When the row was last changed; kept by a trigger.';
COMMENT ON COLUMN projects.versions.org_id IS 'Organization that owns the project.';
