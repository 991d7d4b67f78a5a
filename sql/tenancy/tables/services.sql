CREATE TABLE tenancy.services (
    id         uuid        NOT NULL DEFAULT gen_random_uuid(),
    org_id     uuid        NOT NULL DEFAULT tenancy.current_org_id(),
    name       text        NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT services_pkey PRIMARY KEY (id),
    CONSTRAINT services_org_id_id_key UNIQUE (org_id, id),
    CONSTRAINT services_org_id_name_key UNIQUE (org_id, name),
    CONSTRAINT services_org_id_fkey FOREIGN KEY (org_id)
        REFERENCES tenancy.organizations (id) ON DELETE CASCADE,
    CONSTRAINT services_name_check CHECK (length(name) BETWEEN 1 AND 255)
);

COMMENT ON TABLE tenancy.services IS 'What an organization runs: the source of logs and the holder of API keys.';
COMMENT ON COLUMN tenancy.services.id IS 'Primary key.';
COMMENT ON COLUMN tenancy.services.org_id IS 'Organization that owns the service.';
COMMENT ON COLUMN tenancy.services.name IS 'Name of the service, 1 to 255 characters, unique in its organization.';
COMMENT ON COLUMN tenancy.services.created_at IS 'When the row was created.';
COMMENT ON COLUMN tenancy.services.updated_at IS 'When the row was last changed; kept by a trigger.';
