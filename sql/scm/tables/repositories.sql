CREATE TABLE scm.repositories (
    id                    uuid        NOT NULL DEFAULT gen_random_uuid(),
    github_id             bigint      NOT NULL,
    org_id                uuid        NOT NULL DEFAULT tenancy.current_org_id(),
    name                  text        NOT NULL,
    full_name             text        NOT NULL,
    private               boolean     NOT NULL DEFAULT false,
    default_branch        text        NOT NULL DEFAULT 'main',
    settings              jsonb       NOT NULL DEFAULT '{}',
    enabled               boolean     NOT NULL DEFAULT true,
    created_at            timestamptz NOT NULL DEFAULT now(),
    updated_at            timestamptz NOT NULL DEFAULT now(),
    installation_id       bigint,
    github_default_branch text,
    CONSTRAINT repositories_pkey PRIMARY KEY (id),
    CONSTRAINT repositories_org_id_id_key UNIQUE (org_id, id),
    CONSTRAINT repositories_github_id_key UNIQUE (github_id),
    CONSTRAINT repositories_org_id_fkey FOREIGN KEY (org_id)
        REFERENCES tenancy.organizations (id) ON DELETE CASCADE,
    CONSTRAINT repositories_github_id_check CHECK (github_id > 0),
    CONSTRAINT repositories_name_check CHECK (length(name) BETWEEN 1 AND 255),
    CONSTRAINT repositories_full_name_check CHECK (length(full_name) BETWEEN 1 AND 512),
    CONSTRAINT repositories_default_branch_check CHECK (length(default_branch) BETWEEN 1 AND 255),
    CONSTRAINT repositories_settings_check CHECK (jsonb_typeof(settings) = 'object'),
    CONSTRAINT repositories_installation_id_check CHECK (installation_id > 0),
    CONSTRAINT repositories_github_default_branch_check CHECK (length(github_default_branch) BETWEEN 1 AND 255)
);

-- Webhooks name the installation by this number.
CREATE INDEX repositories_installation_id_idx
    ON scm.repositories (installation_id)
    WHERE installation_id IS NOT NULL;

COMMENT ON TABLE scm.repositories IS 'Repositories that are known to the platform, as GitHub reports them.';
COMMENT ON COLUMN scm.repositories.id IS 'Primary key.';
COMMENT ON COLUMN scm.repositories.github_id IS 'GitHub''s number of the repository.';
COMMENT ON COLUMN scm.repositories.org_id IS 'Organization that owns the repository.';
COMMENT ON COLUMN scm.repositories.name IS 'Name without the owner, 1 to 255 characters.';
COMMENT ON COLUMN scm.repositories.full_name IS 'Owner and name, as in owner/name, 1 to 512 characters.';
COMMENT ON COLUMN scm.repositories.private IS 'Whether the repository is private.';
COMMENT ON COLUMN scm.repositories.default_branch IS 'Branch that is analysed when none is named.';
COMMENT ON COLUMN scm.repositories.settings IS 'Overrides of the organization''s settings, a JSON object.';
COMMENT ON COLUMN scm.repositories.enabled IS 'Whether the repository is analysed.';
COMMENT ON COLUMN scm.repositories.created_at IS 'When the row was created.';
COMMENT ON COLUMN scm.repositories.updated_at IS 'When the row was last changed; kept by a trigger.';
COMMENT ON COLUMN scm.repositories.installation_id IS 'GitHub''s number of the installation the repository belongs to, as in scm.installations.github_installation_id; no foreign key, since events may come first.';
COMMENT ON COLUMN scm.repositories.github_default_branch IS 'Default branch as GitHub last said, which default_branch follows unless the organization has chosen another; NULL until it said so.';
