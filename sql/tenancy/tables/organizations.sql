CREATE TABLE tenancy.organizations (
    id         uuid        NOT NULL DEFAULT gen_random_uuid(),
    github_id  bigint,
    name       text        NOT NULL,
    login      text,
    avatar_url text,
    settings   jsonb       NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    plan       tenancy.org_plan NOT NULL DEFAULT 'free',
    CONSTRAINT organizations_pkey PRIMARY KEY (id),
    CONSTRAINT organizations_github_id_key UNIQUE (github_id),
    CONSTRAINT organizations_github_id_check CHECK (github_id > 0),
    CONSTRAINT organizations_name_check CHECK (length(name) BETWEEN 1 AND 255),
    CONSTRAINT organizations_login_check CHECK (length(login) BETWEEN 1 AND 255),
    CONSTRAINT organizations_avatar_url_check CHECK (avatar_url ~* '^https?://[^\s]+$'),
    CONSTRAINT organizations_settings_check CHECK (jsonb_typeof(settings) = 'object')
);

-- GitHub compares logins without regard to case.
CREATE UNIQUE INDEX organizations_login_idx
    ON tenancy.organizations (lower(login));

COMMENT ON TABLE tenancy.organizations IS 'Tenants. Every tenant-owned row carries the id of one of these in org_id and is deleted with it.';
COMMENT ON COLUMN tenancy.organizations.id IS 'Primary key.';
COMMENT ON COLUMN tenancy.organizations.github_id IS 'GitHub''s number of the organization; NULL for one that is not on GitHub.';
COMMENT ON COLUMN tenancy.organizations.name IS 'Display name, 1 to 255 characters.';
COMMENT ON COLUMN tenancy.organizations.login IS 'GitHub login or slug, unique without regard to case; NULL for an organization that is not on GitHub.';
COMMENT ON COLUMN tenancy.organizations.avatar_url IS 'HTTP or HTTPS URL of the avatar.';
COMMENT ON COLUMN tenancy.organizations.settings IS 'Feature flags and thresholds, a JSON object.';
COMMENT ON COLUMN tenancy.organizations.created_at IS 'When the row was created.';
COMMENT ON COLUMN tenancy.organizations.updated_at IS 'When the row was last changed; kept by a trigger.';
COMMENT ON COLUMN tenancy.organizations.plan IS 'What the organization pays for: free, team or enterprise.';
