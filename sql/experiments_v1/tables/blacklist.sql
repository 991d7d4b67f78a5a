CREATE TABLE experiments_v1.blacklist (
    id             uuid        NOT NULL DEFAULT gen_random_uuid(),
    config_hash    text        NOT NULL,
    reason         text,
    evidence       jsonb       NOT NULL DEFAULT '{}',
    quarantined_at timestamptz NOT NULL DEFAULT now(),
    quarantined_by uuid,
    review_status  text        NOT NULL DEFAULT 'pending',
    reviewed_by    uuid,
    reviewed_at    timestamptz,
    org_id         uuid        NOT NULL DEFAULT tenancy.current_org_id(),
    CONSTRAINT blacklist_pkey PRIMARY KEY (id),
    CONSTRAINT blacklist_org_id_config_hash_key UNIQUE (org_id, config_hash),
    CONSTRAINT blacklist_org_id_fkey FOREIGN KEY (org_id)
        REFERENCES tenancy.organizations (id) ON DELETE CASCADE,
    CONSTRAINT blacklist_quarantined_by_fkey FOREIGN KEY (quarantined_by)
        REFERENCES auth.users (id) ON DELETE SET NULL,
    CONSTRAINT blacklist_reviewed_by_fkey FOREIGN KEY (reviewed_by)
        REFERENCES auth.users (id) ON DELETE SET NULL,
    CONSTRAINT blacklist_config_hash_check CHECK (config_hash ~ '^[0-9a-f]{64}$'),
    CONSTRAINT blacklist_evidence_check CHECK (jsonb_typeof(evidence) = 'object'),
    CONSTRAINT blacklist_review_status_check CHECK (review_status IN ('pending', 'reviewed', 'appealed'))
);

CREATE INDEX blacklist_config_hash_idx ON experiments_v1.blacklist (config_hash);
CREATE INDEX blacklist_review_status_idx ON experiments_v1.blacklist (review_status);
CREATE INDEX blacklist_quarantined_by_idx
    ON experiments_v1.blacklist (quarantined_by)
    WHERE quarantined_by IS NOT NULL;
CREATE INDEX blacklist_reviewed_by_idx
    ON experiments_v1.blacklist (reviewed_by)
    WHERE reviewed_by IS NOT NULL;

COMMENT ON TABLE experiments_v1.blacklist IS 'Configurations that must not be tried again.';
COMMENT ON COLUMN experiments_v1.blacklist.id IS 'Primary key.';
COMMENT ON COLUMN experiments_v1.blacklist.config_hash IS 'SHA-256 of the configuration, 64 lower-case hex digits, unique in its organization.';
COMMENT ON COLUMN experiments_v1.blacklist.reason IS 'Why the configuration is listed.';
COMMENT ON COLUMN experiments_v1.blacklist.evidence IS 'What shows it, a JSON object.';
COMMENT ON COLUMN experiments_v1.blacklist.quarantined_at IS 'When it was listed.';
COMMENT ON COLUMN experiments_v1.blacklist.quarantined_by IS 'User who listed it; NULL when none did or the user was deleted.';
COMMENT ON COLUMN experiments_v1.blacklist.review_status IS 'State of the review: pending, reviewed or appealed.';
COMMENT ON COLUMN experiments_v1.blacklist.reviewed_by IS 'User who reviewed it; NULL when none has or the user was deleted.';
COMMENT ON COLUMN experiments_v1.blacklist.reviewed_at IS 'When it was reviewed; NULL before.';
COMMENT ON COLUMN experiments_v1.blacklist.org_id IS 'Organization that owns the entry.';
