-- No isolation by organization: these are no more.
CREATE TABLE tenancy.deleted_organizations (
    id         uuid        NOT NULL,
    deleted_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT deleted_organizations_pkey PRIMARY KEY (id)
);

COMMENT ON TABLE tenancy.deleted_organizations IS 'Organizations that were deleted and have left more rows behind than were deleted with them; codeverify.maintain() deletes the rest, which nobody sees.';
COMMENT ON COLUMN tenancy.deleted_organizations.id IS 'Primary key: the id that the organization had.';
COMMENT ON COLUMN tenancy.deleted_organizations.deleted_at IS 'When it was deleted.';
