CREATE TABLE scm.installations (
    id                     uuid        NOT NULL DEFAULT gen_random_uuid(),
    github_installation_id bigint      NOT NULL,
    org_id                 uuid        NOT NULL DEFAULT tenancy.current_org_id(),
    account_type           text        NOT NULL,
    permissions            jsonb       NOT NULL DEFAULT '{}',
    events                 jsonb       NOT NULL DEFAULT '[]',
    suspended_at           timestamptz,
    created_at             timestamptz NOT NULL DEFAULT now(),
    updated_at             timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT installations_pkey PRIMARY KEY (id),
    CONSTRAINT installations_org_id_id_key UNIQUE (org_id, id),
    CONSTRAINT installations_github_installation_id_key UNIQUE (github_installation_id),
    CONSTRAINT installations_org_id_fkey FOREIGN KEY (org_id)
        REFERENCES tenancy.organizations (id) ON DELETE CASCADE,
    CONSTRAINT installations_github_installation_id_check CHECK (github_installation_id > 0),
    CONSTRAINT installations_account_type_check CHECK (account_type IN ('Organization', 'User')),
    CONSTRAINT installations_permissions_check CHECK (jsonb_typeof(permissions) = 'object'),
    CONSTRAINT installations_events_check CHECK (jsonb_typeof(events) = 'array')
);

COMMENT ON TABLE scm.installations IS 'Installations of the GitHub App, as GitHub reports them.';
COMMENT ON COLUMN scm.installations.id IS 'Primary key.';
COMMENT ON COLUMN scm.installations.github_installation_id IS 'GitHub''s number of the installation.';
COMMENT ON COLUMN scm.installations.org_id IS 'Organization that installed the app.';
COMMENT ON COLUMN scm.installations.account_type IS 'Kind of account the app is installed on: Organization or User.';
COMMENT ON COLUMN scm.installations.permissions IS 'Permissions granted to the app, a JSON object of name and level.';
COMMENT ON COLUMN scm.installations.events IS 'Events the app is subscribed to, a JSON array of names.';
COMMENT ON COLUMN scm.installations.suspended_at IS 'When the installation was suspended; NULL while it works.';
COMMENT ON COLUMN scm.installations.created_at IS 'When the row was created.';
COMMENT ON COLUMN scm.installations.updated_at IS 'When the row was last changed; kept by a trigger.';
