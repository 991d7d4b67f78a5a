CREATE TABLE tenancy.org_memberships (
    id         uuid        NOT NULL DEFAULT gen_random_uuid(),
    org_id     uuid        NOT NULL DEFAULT tenancy.current_org_id(),
    user_id    uuid        NOT NULL,
    role       text        NOT NULL DEFAULT 'member',
    -- Not now(): what was made before the user joined must be older, also than a transaction that took long.
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT org_memberships_pkey PRIMARY KEY (id),
    CONSTRAINT org_memberships_org_id_user_id_key UNIQUE (org_id, user_id),
    CONSTRAINT org_memberships_org_id_fkey FOREIGN KEY (org_id)
        REFERENCES tenancy.organizations (id) ON DELETE CASCADE,
    CONSTRAINT org_memberships_user_id_fkey FOREIGN KEY (user_id)
        REFERENCES auth.users (id) ON DELETE CASCADE,
    CONSTRAINT org_memberships_role_check CHECK (role IN ('owner', 'admin', 'member', 'developer', 'viewer'))
);

CREATE INDEX org_memberships_user_id_idx
    ON tenancy.org_memberships (user_id);

COMMENT ON TABLE tenancy.org_memberships IS 'Which users belong to which organizations, and as what. One row per organization and user.';
COMMENT ON COLUMN tenancy.org_memberships.id IS 'Primary key.';
COMMENT ON COLUMN tenancy.org_memberships.org_id IS 'Organization the user belongs to.';
COMMENT ON COLUMN tenancy.org_memberships.user_id IS 'User who belongs to the organization.';
COMMENT ON COLUMN tenancy.org_memberships.role IS 'owner and admin manage, member and developer write, viewer reads; only an owner makes or unmakes owners.';
COMMENT ON COLUMN tenancy.org_memberships.created_at IS 'When the user joined. API keys that they made before, as a member who has left since, are not accepted.';
