CREATE TABLE auth.invitations (
    id         uuid        NOT NULL DEFAULT gen_random_uuid(),
    code_hash  text        NOT NULL,
    role       text        NOT NULL DEFAULT 'member',
    max_uses   integer     NOT NULL DEFAULT 1,
    uses       integer     NOT NULL DEFAULT 0,
    expires_at timestamptz NOT NULL DEFAULT now() + interval '7 days',
    org_id     uuid        NOT NULL DEFAULT tenancy.current_org_id(),
    created_by uuid        DEFAULT tenancy.current_user_id(),
    created_at timestamptz NOT NULL DEFAULT now(),
    email      text,
    revoked_at timestamptz,
    api_key_id uuid,
    CONSTRAINT invitations_pkey PRIMARY KEY (id),
    CONSTRAINT invitations_code_hash_key UNIQUE (code_hash),
    CONSTRAINT invitations_org_id_fkey FOREIGN KEY (org_id)
        REFERENCES tenancy.organizations (id) ON DELETE CASCADE,
    CONSTRAINT invitations_created_by_fkey FOREIGN KEY (created_by)
        REFERENCES auth.users (id) ON DELETE SET NULL,
    -- What a key invites to it could not invite to when it is gone.
    CONSTRAINT invitations_org_id_api_key_id_fkey FOREIGN KEY (org_id, api_key_id)
        REFERENCES auth.api_keys (org_id, id) ON DELETE CASCADE,
    CONSTRAINT invitations_org_id_id_key UNIQUE (org_id, id),
    CONSTRAINT invitations_email_check CHECK (length(email) BETWEEN 3 AND 320),
    CONSTRAINT invitations_code_hash_check CHECK (code_hash ~ '^[0-9a-f]{64}$'),
    CONSTRAINT invitations_role_check CHECK (role IN ('admin', 'member', 'developer', 'viewer', 'user')),
    CONSTRAINT invitations_max_uses_check CHECK (max_uses >= 1),
    CONSTRAINT invitations_uses_check CHECK (uses BETWEEN 0 AND max_uses),
    CONSTRAINT invitations_expires_at_check CHECK (expires_at > created_at)
);

CREATE INDEX invitations_expires_at_idx
    ON auth.invitations (expires_at);

CREATE INDEX invitations_org_id_idx
    ON auth.invitations (org_id);

CREATE INDEX invitations_created_by_idx
    ON auth.invitations (created_by)
    WHERE created_by IS NOT NULL;

CREATE INDEX invitations_org_id_api_key_id_idx
    ON auth.invitations (org_id, api_key_id)
    WHERE api_key_id IS NOT NULL;

COMMENT ON TABLE auth.invitations IS 'Invitations into an organization. Whoever presents the code becomes a member; only its hash is kept.';
COMMENT ON COLUMN auth.invitations.id IS 'Primary key.';
COMMENT ON COLUMN auth.invitations.code_hash IS 'SHA-256 of the invitation code, 64 hexadecimal digits. Not readable by tenants.';
COMMENT ON COLUMN auth.invitations.role IS 'Member role to assign: admin, member, developer or viewer; user stands for member. Owners are not made by invitation.';
COMMENT ON COLUMN auth.invitations.max_uses IS 'How many users may join with the code.';
COMMENT ON COLUMN auth.invitations.uses IS 'How many users have joined with the code.';
COMMENT ON COLUMN auth.invitations.expires_at IS 'When the code stops working.';
COMMENT ON COLUMN auth.invitations.org_id IS 'Organization to join.';
COMMENT ON COLUMN auth.invitations.created_by IS 'User who invites; NULL when that user was deleted or a service made the invitation.';
COMMENT ON COLUMN auth.invitations.created_at IS 'When the invitation was made.';
COMMENT ON COLUMN auth.invitations.email IS 'Normalised address of the one user who may accept; NULL for whoever has the code.';
COMMENT ON COLUMN auth.invitations.revoked_at IS 'When the invitation was taken back; NULL while it stands.';
COMMENT ON COLUMN auth.invitations.api_key_id IS 'API key that invites; NULL when a user or a service does.';
