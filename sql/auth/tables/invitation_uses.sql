CREATE TABLE auth.invitation_uses (
    org_id        uuid        NOT NULL DEFAULT tenancy.current_org_id(),
    invitation_id uuid        NOT NULL,
    user_id       uuid        NOT NULL,
    role          text        NOT NULL,
    accepted_at   timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT invitation_uses_pkey PRIMARY KEY (invitation_id, user_id),
    CONSTRAINT invitation_uses_org_id_invitation_id_fkey FOREIGN KEY (org_id, invitation_id)
        REFERENCES auth.invitations (org_id, id) ON DELETE CASCADE,
    CONSTRAINT invitation_uses_user_id_fkey FOREIGN KEY (user_id)
        REFERENCES auth.users (id) ON DELETE CASCADE,
    CONSTRAINT invitation_uses_role_check CHECK (role IN ('admin', 'member', 'developer', 'viewer'))
);

CREATE INDEX invitation_uses_org_id_invitation_id_idx
    ON auth.invitation_uses (org_id, invitation_id);

CREATE INDEX invitation_uses_user_id_idx
    ON auth.invitation_uses (user_id);

COMMENT ON TABLE auth.invitation_uses IS 'Who has joined with which invitation. A user counts once for each.';
COMMENT ON COLUMN auth.invitation_uses.org_id IS 'Organization that was joined.';
COMMENT ON COLUMN auth.invitation_uses.invitation_id IS 'Invitation that was accepted.';
COMMENT ON COLUMN auth.invitation_uses.user_id IS 'User who accepted it.';
COMMENT ON COLUMN auth.invitation_uses.role IS 'Role that the user got: the invitation''s, or less if the inviter had less by then.';
COMMENT ON COLUMN auth.invitation_uses.accepted_at IS 'When it was accepted.';
