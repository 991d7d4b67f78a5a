CREATE TABLE attestations.verification_attestations (
    id                    uuid        NOT NULL DEFAULT gen_random_uuid(),
    org_id                uuid        NOT NULL DEFAULT tenancy.current_org_id(),
    repo_id               uuid,
    analysis_id           uuid,
    attestation_type      text        NOT NULL,
    repo_full_name        text        NOT NULL,
    ref                   text,
    commit_sha            text,
    file_paths            jsonb       NOT NULL DEFAULT '[]',
    scope                 jsonb       NOT NULL DEFAULT '{}',
    evidence              jsonb       NOT NULL DEFAULT '{}',
    tier                  text,
    passed                boolean     NOT NULL DEFAULT false,
    signature             text,
    attestation_hash      text        NOT NULL,
    parent_attestation_id uuid,
    metadata              jsonb       NOT NULL DEFAULT '{}',
    expires_at            timestamptz,
    created_at            timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT verification_attestations_pkey PRIMARY KEY (id),
    CONSTRAINT verification_attestations_org_id_id_key UNIQUE (org_id, id),
    CONSTRAINT verification_attestations_org_id_fkey FOREIGN KEY (org_id)
        REFERENCES tenancy.organizations (id) ON DELETE CASCADE,
    CONSTRAINT verification_attestations_org_id_repo_id_fkey FOREIGN KEY (org_id, repo_id)
        REFERENCES scm.repositories (org_id, id) ON DELETE CASCADE,
    CONSTRAINT verification_attestations_org_id_analysis_id_fkey FOREIGN KEY (org_id, analysis_id)
        REFERENCES analysis.analyses (org_id, id) ON DELETE SET NULL (analysis_id),
    -- No action on delete: a link of a chain stays while a later one hangs from it.
    CONSTRAINT verification_attestations_org_id_parent_attestation_id_fkey FOREIGN KEY (org_id, parent_attestation_id)
        REFERENCES attestations.verification_attestations (org_id, id),
    CONSTRAINT verification_attestations_attestation_type_check CHECK (attestation_type IN ('pr', 'commit', 'release')),
    CONSTRAINT verification_attestations_repo_full_name_check CHECK (length(repo_full_name) BETWEEN 1 AND 512),
    CONSTRAINT verification_attestations_ref_check CHECK (length(ref) BETWEEN 1 AND 255),
    CONSTRAINT verification_attestations_commit_sha_check CHECK (commit_sha ~ '^([0-9a-f]{40}|[0-9a-f]{64})$'),
    CONSTRAINT verification_attestations_file_paths_check CHECK (jsonb_typeof(file_paths) = 'array'),
    CONSTRAINT verification_attestations_scope_check CHECK (jsonb_typeof(scope) = 'object'),
    CONSTRAINT verification_attestations_evidence_check CHECK (jsonb_typeof(evidence) = 'object'),
    CONSTRAINT verification_attestations_tier_check CHECK (length(tier) BETWEEN 1 AND 50),
    CONSTRAINT verification_attestations_attestation_hash_check CHECK (attestation_hash ~ '^[0-9a-f]{64}$'),
    CONSTRAINT verification_attestations_parent_check CHECK (parent_attestation_id <> id),
    CONSTRAINT verification_attestations_metadata_check CHECK (jsonb_typeof(metadata) = 'object'),
    CONSTRAINT verification_attestations_expires_at_check CHECK (expires_at > created_at)
);

CREATE INDEX ix_verification_attestations_org_id
    ON attestations.verification_attestations (org_id);

CREATE INDEX ix_verification_attestations_repo_id
    ON attestations.verification_attestations (repo_id);

CREATE INDEX ix_verification_attestations_repo_full_name
    ON attestations.verification_attestations (repo_full_name);

CREATE INDEX ix_verification_attestations_tier
    ON attestations.verification_attestations (tier);

CREATE INDEX ix_verification_attestations_created_at
    ON attestations.verification_attestations (created_at);

CREATE INDEX verification_attestations_analysis_id_idx
    ON attestations.verification_attestations (analysis_id)
    WHERE analysis_id IS NOT NULL;

CREATE INDEX verification_attestations_parent_attestation_id_idx
    ON attestations.verification_attestations (parent_attestation_id)
    WHERE parent_attestation_id IS NOT NULL;

COMMENT ON TABLE attestations.verification_attestations IS 'Signed statements that code was verified. They form chains and outlive the analyses they rest on.';
COMMENT ON COLUMN attestations.verification_attestations.id IS 'Primary key.';
COMMENT ON COLUMN attestations.verification_attestations.org_id IS 'Organization whose code was verified.';
COMMENT ON COLUMN attestations.verification_attestations.repo_id IS 'Repository that was verified.';
COMMENT ON COLUMN attestations.verification_attestations.analysis_id IS 'Analysis that the attestation rests on; NULL after that was deleted.';
COMMENT ON COLUMN attestations.verification_attestations.attestation_type IS 'What was verified: pr, commit or release.';
COMMENT ON COLUMN attestations.verification_attestations.repo_full_name IS 'Full name of the repository at the time, 1 to 512 characters.';
COMMENT ON COLUMN attestations.verification_attestations.ref IS 'Git ref, a branch or tag, 1 to 255 characters.';
COMMENT ON COLUMN attestations.verification_attestations.commit_sha IS 'Commit: 40 or 64 lower-case hexadecimal digits.';
COMMENT ON COLUMN attestations.verification_attestations.file_paths IS 'Files that the attestation covers, a JSON array.';
COMMENT ON COLUMN attestations.verification_attestations.scope IS 'What was verified and what was not, a JSON object.';
COMMENT ON COLUMN attestations.verification_attestations.evidence IS 'What the statement rests on, a JSON object.';
COMMENT ON COLUMN attestations.verification_attestations.tier IS 'Certification tier, 1 to 50 characters.';
COMMENT ON COLUMN attestations.verification_attestations.passed IS 'Whether the verification passed.';
COMMENT ON COLUMN attestations.verification_attestations.signature IS 'Signature of the attestation.';
COMMENT ON COLUMN attestations.verification_attestations.attestation_hash IS 'SHA-256 of the attestation, 64 lower-case hexadecimal digits.';
COMMENT ON COLUMN attestations.verification_attestations.parent_attestation_id IS 'The attestation before this one in its chain; NULL for the first.';
COMMENT ON COLUMN attestations.verification_attestations.metadata IS 'Further facts, a JSON object.';
COMMENT ON COLUMN attestations.verification_attestations.expires_at IS 'When the attestation ceases to hold; NULL for never.';
COMMENT ON COLUMN attestations.verification_attestations.created_at IS 'When the attestation was made.';
