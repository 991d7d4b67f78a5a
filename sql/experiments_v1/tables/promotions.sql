CREATE TABLE experiments_v1.promotions (
    id              uuid        NOT NULL DEFAULT gen_random_uuid(),
    from_version_id uuid        NOT NULL,
    to_version_id   uuid        NOT NULL,
    status          text        NOT NULL DEFAULT 'pending',
    reason          text,
    approver_id     uuid,
    promoted_at     timestamptz,
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now(),
    org_id          uuid        NOT NULL DEFAULT tenancy.current_org_id(),
    CONSTRAINT promotions_pkey PRIMARY KEY (id),
    CONSTRAINT promotions_org_id_fkey FOREIGN KEY (org_id)
        REFERENCES tenancy.organizations (id) ON DELETE CASCADE,
    CONSTRAINT promotions_approver_id_fkey FOREIGN KEY (approver_id)
        REFERENCES auth.users (id) ON DELETE SET NULL,
    CONSTRAINT promotions_status_check CHECK (status IN ('pending', 'approved', 'rejected', 'completed'))
);

CREATE INDEX promotions_org_id_created_at_idx ON experiments_v1.promotions (org_id, created_at DESC);
CREATE INDEX promotions_status_idx ON experiments_v1.promotions (status);
CREATE INDEX promotions_from_version_id_idx ON experiments_v1.promotions (from_version_id);
CREATE INDEX promotions_to_version_id_idx ON experiments_v1.promotions (to_version_id);
CREATE INDEX promotions_approver_id_idx
    ON experiments_v1.promotions (approver_id)
    WHERE approver_id IS NOT NULL;

COMMENT ON TABLE experiments_v1.promotions IS 'Requests to promote one version to another, and what became of them.';
COMMENT ON COLUMN experiments_v1.promotions.id IS 'Primary key.';
COMMENT ON COLUMN experiments_v1.promotions.from_version_id IS 'Version that is promoted; no foreign key, the promotion outlives it.';
COMMENT ON COLUMN experiments_v1.promotions.to_version_id IS 'Version that it becomes; no foreign key, the promotion outlives it.';
COMMENT ON COLUMN experiments_v1.promotions.status IS 'State: pending, approved, rejected or completed.';
COMMENT ON COLUMN experiments_v1.promotions.reason IS 'Why it is promoted, or why not.';
COMMENT ON COLUMN experiments_v1.promotions.approver_id IS 'User who decided; NULL when none has or the user was deleted.';
COMMENT ON COLUMN experiments_v1.promotions.promoted_at IS 'When the promotion took effect; NULL before.';
COMMENT ON COLUMN experiments_v1.promotions.created_at IS 'When the row was created.';
COMMENT ON COLUMN experiments_v1.promotions.updated_at IS 'When the row was last changed; kept by a trigger.';
COMMENT ON COLUMN experiments_v1.promotions.org_id IS 'Organization that owns the versions.';
