CREATE TABLE tenancy.environments (
    id         uuid        NOT NULL DEFAULT gen_random_uuid(),
    org_id     uuid        NOT NULL DEFAULT tenancy.current_org_id(),
    name       text        NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT environments_pkey PRIMARY KEY (id),
    CONSTRAINT environments_org_id_id_key UNIQUE (org_id, id),
    CONSTRAINT environments_org_id_name_key UNIQUE (org_id, name),
    CONSTRAINT environments_org_id_fkey FOREIGN KEY (org_id)
        REFERENCES tenancy.organizations (id) ON DELETE CASCADE,
    CONSTRAINT environments_name_check CHECK (length(name) BETWEEN 1 AND 255)
);

COMMENT ON TABLE tenancy.environments IS 'Where an organization runs its services, such as production or staging.';
COMMENT ON COLUMN tenancy.environments.id IS 'Primary key.';
COMMENT ON COLUMN tenancy.environments.org_id IS 'Organization that owns the environment.';
COMMENT ON COLUMN tenancy.environments.name IS 'Name of the environment, 1 to 255 characters, unique in its organization.';
COMMENT ON COLUMN tenancy.environments.created_at IS 'When the row was created.';
COMMENT ON COLUMN tenancy.environments.updated_at IS 'When the row was last changed; kept by a trigger.';
