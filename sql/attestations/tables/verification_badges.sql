CREATE TABLE attestations.verification_badges (
    id             uuid        NOT NULL DEFAULT gen_random_uuid(),
    attestation_id uuid        NOT NULL,
    repo_id        uuid,
    repo_full_name text        NOT NULL,
    token          text        NOT NULL,
    tier           text,
    passed         boolean     NOT NULL DEFAULT false,
    style          text        NOT NULL DEFAULT 'flat',
    config         jsonb       NOT NULL DEFAULT '{}',
    view_count     integer     NOT NULL DEFAULT 0,
    last_viewed_at timestamptz,
    expires_at     timestamptz,
    created_at     timestamptz NOT NULL DEFAULT now(),
    org_id         uuid        NOT NULL DEFAULT tenancy.current_org_id(),
    CONSTRAINT verification_badges_pkey PRIMARY KEY (id),
    CONSTRAINT verification_badges_org_id_attestation_id_fkey FOREIGN KEY (org_id, attestation_id)
        REFERENCES attestations.verification_attestations (org_id, id) ON DELETE CASCADE,
    CONSTRAINT verification_badges_org_id_repo_id_fkey FOREIGN KEY (org_id, repo_id)
        REFERENCES scm.repositories (org_id, id) ON DELETE CASCADE,
    CONSTRAINT verification_badges_repo_full_name_check CHECK (length(repo_full_name) BETWEEN 1 AND 512),
    CONSTRAINT verification_badges_token_check CHECK (length(token) BETWEEN 1 AND 32),
    CONSTRAINT verification_badges_tier_check CHECK (length(tier) BETWEEN 1 AND 50),
    CONSTRAINT verification_badges_style_check CHECK (length(style) BETWEEN 1 AND 50),
    CONSTRAINT verification_badges_config_check CHECK (jsonb_typeof(config) = 'object'),
    CONSTRAINT verification_badges_view_count_check CHECK (view_count >= 0),
    CONSTRAINT verification_badges_expires_at_check CHECK (expires_at > created_at)
);

CREATE UNIQUE INDEX ix_verification_badges_token
    ON attestations.verification_badges (token);

CREATE INDEX ix_verification_badges_repo_full_name
    ON attestations.verification_badges (repo_full_name);

CREATE INDEX verification_badges_org_id_attestation_id_idx
    ON attestations.verification_badges (org_id, attestation_id);

CREATE INDEX verification_badges_repo_id_idx
    ON attestations.verification_badges (repo_id)
    WHERE repo_id IS NOT NULL;

COMMENT ON TABLE attestations.verification_badges IS 'Badges that show the state of an attestation on other pages.';
COMMENT ON COLUMN attestations.verification_badges.id IS 'Primary key.';
COMMENT ON COLUMN attestations.verification_badges.attestation_id IS 'Attestation that the badge shows.';
COMMENT ON COLUMN attestations.verification_badges.repo_id IS 'Repository that was verified.';
COMMENT ON COLUMN attestations.verification_badges.repo_full_name IS 'Full name of the repository, 1 to 512 characters.';
COMMENT ON COLUMN attestations.verification_badges.token IS 'What the badge''s URL names it by, 1 to 32 characters, unique over all organizations.';
COMMENT ON COLUMN attestations.verification_badges.tier IS 'Certification tier that is shown, 1 to 50 characters.';
COMMENT ON COLUMN attestations.verification_badges.passed IS 'State that is shown: whether the verification passed.';
COMMENT ON COLUMN attestations.verification_badges.style IS 'How the badge is drawn, such as flat, 1 to 50 characters.';
COMMENT ON COLUMN attestations.verification_badges.config IS 'Settings of the badge, a JSON object.';
COMMENT ON COLUMN attestations.verification_badges.view_count IS 'How often the badge was shown.';
COMMENT ON COLUMN attestations.verification_badges.last_viewed_at IS 'When the badge was last shown.';
COMMENT ON COLUMN attestations.verification_badges.expires_at IS 'When the badge ceases to be shown; NULL for never.';
COMMENT ON COLUMN attestations.verification_badges.created_at IS 'When the badge was made.';
COMMENT ON COLUMN attestations.verification_badges.org_id IS 'Organization of the attestation.';
