CREATE TABLE projects.projects (
    id          uuid        NOT NULL DEFAULT gen_random_uuid(),
    name        text        NOT NULL,
    description text,
    owner_id    uuid        NOT NULL,
    settings    jsonb       NOT NULL DEFAULT '{}',
    archived    boolean     NOT NULL DEFAULT false,
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    org_id      uuid        NOT NULL DEFAULT tenancy.current_org_id(),
    CONSTRAINT projects_pkey PRIMARY KEY (id),
    CONSTRAINT projects_org_id_id_key UNIQUE (org_id, id),
    CONSTRAINT projects_org_id_fkey FOREIGN KEY (org_id)
        REFERENCES tenancy.organizations (id) ON DELETE CASCADE,
    CONSTRAINT projects_owner_id_fkey FOREIGN KEY (owner_id)
        REFERENCES auth.users (id),
    CONSTRAINT projects_name_check CHECK (length(name) BETWEEN 1 AND 255),
    CONSTRAINT projects_settings_check CHECK (jsonb_typeof(settings) = 'object')
);

CREATE INDEX projects_owner_id_idx ON projects.projects (owner_id);
CREATE INDEX projects_archived_idx ON projects.projects (archived);

COMMENT ON TABLE projects.projects IS 'Projects of an organization.';
COMMENT ON COLUMN projects.projects.id IS 'Primary key.';
COMMENT ON COLUMN projects.projects.name IS 'Name of the project, 1 to 255 characters.';
COMMENT ON COLUMN projects.projects.description IS 'What the project is about.';
COMMENT ON COLUMN projects.projects.owner_id IS 'User who answers for the project; cannot be deleted before it is handed on.';
COMMENT ON COLUMN projects.projects.settings IS 'Configuration of the project, a JSON object.';
COMMENT ON COLUMN projects.projects.archived IS 'Whether the project is put away.';
COMMENT ON COLUMN projects.projects.created_at IS 'When the row was created.';
COMMENT ON COLUMN projects.projects.updated_at IS 'When the row was last changed; kept by a trigger.';
COMMENT ON COLUMN projects.projects.org_id IS 'Organization that owns the project.';
