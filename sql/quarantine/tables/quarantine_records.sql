CREATE TABLE quarantine.quarantine_records (
    id              uuid        NOT NULL DEFAULT gen_random_uuid(),
    experiment_id   uuid,
    config_hash     text        NOT NULL,
    config          jsonb       NOT NULL DEFAULT '{}',
    reason          text,
    evidence        jsonb       NOT NULL DEFAULT '{}',
    failure_metrics jsonb       NOT NULL DEFAULT '{}',
    quarantined_at  timestamptz NOT NULL DEFAULT now(),
    quarantined_by  uuid,
    review_status   text        NOT NULL DEFAULT 'quarantined',
    reviewed_at     timestamptz,
    reviewed_by     uuid,
    review_notes    text,
    created_at      timestamptz NOT NULL DEFAULT now(),
    org_id          uuid        NOT NULL DEFAULT tenancy.current_org_id(),
    CONSTRAINT quarantine_records_pkey PRIMARY KEY (id),
    CONSTRAINT quarantine_records_org_id_id_key UNIQUE (org_id, id),
    CONSTRAINT quarantine_records_org_id_config_hash_key UNIQUE (org_id, config_hash),
    CONSTRAINT quarantine_records_org_id_fkey FOREIGN KEY (org_id)
        REFERENCES tenancy.organizations (id) ON DELETE CASCADE,
    CONSTRAINT quarantine_records_quarantined_by_fkey FOREIGN KEY (quarantined_by)
        REFERENCES auth.users (id) ON DELETE SET NULL,
    CONSTRAINT quarantine_records_reviewed_by_fkey FOREIGN KEY (reviewed_by)
        REFERENCES auth.users (id) ON DELETE SET NULL,
    CONSTRAINT quarantine_records_config_hash_check CHECK (config_hash ~ '^[0-9a-f]{64}$'),
    CONSTRAINT quarantine_records_config_check CHECK (jsonb_typeof(config) = 'object'),
    CONSTRAINT quarantine_records_evidence_check CHECK (jsonb_typeof(evidence) = 'object'),
    CONSTRAINT quarantine_records_failure_metrics_check CHECK (jsonb_typeof(failure_metrics) = 'object'),
    CONSTRAINT quarantine_records_review_status_check CHECK (
        review_status IN ('quarantined', 'under_review', 'approved_retry'))
);

CREATE INDEX quarantine_records_config_hash_idx ON quarantine.quarantine_records (config_hash);
CREATE INDEX quarantine_records_review_status_idx ON quarantine.quarantine_records (review_status);
CREATE INDEX quarantine_records_quarantined_at_idx ON quarantine.quarantine_records (quarantined_at);
CREATE INDEX quarantine_records_quarantined_by_idx
    ON quarantine.quarantine_records (quarantined_by)
    WHERE quarantined_by IS NOT NULL;
CREATE INDEX quarantine_records_reviewed_by_idx
    ON quarantine.quarantine_records (reviewed_by)
    WHERE reviewed_by IS NOT NULL;

COMMENT ON TABLE quarantine.quarantine_records IS 'Configurations that failed, archived with what shows it; only their review moves on.';
COMMENT ON COLUMN quarantine.quarantine_records.id IS 'Primary key.';
COMMENT ON COLUMN quarantine.quarantine_records.experiment_id IS 'Experiment that failed; no foreign key, the record outlives it.';
COMMENT ON COLUMN quarantine.quarantine_records.config_hash IS 'SHA-256 of the configuration, 64 lower-case hex digits, unique in its organization.';
COMMENT ON COLUMN quarantine.quarantine_records.config IS 'The configuration, a JSON object.';
COMMENT ON COLUMN quarantine.quarantine_records.reason IS 'Why it was quarantined.';
COMMENT ON COLUMN quarantine.quarantine_records.evidence IS 'What shows it, a JSON object.';
COMMENT ON COLUMN quarantine.quarantine_records.failure_metrics IS 'What was measured when it failed, a JSON object.';
COMMENT ON COLUMN quarantine.quarantine_records.quarantined_at IS 'When it was quarantined.';
COMMENT ON COLUMN quarantine.quarantine_records.quarantined_by IS 'User who quarantined it; NULL when none did or the user was deleted.';
COMMENT ON COLUMN quarantine.quarantine_records.review_status IS 'State of the review: quarantined, under_review or approved_retry.';
COMMENT ON COLUMN quarantine.quarantine_records.reviewed_at IS 'When it was reviewed; NULL before.';
COMMENT ON COLUMN quarantine.quarantine_records.reviewed_by IS 'User who reviewed it; NULL when none has or the user was deleted.';
COMMENT ON COLUMN quarantine.quarantine_records.review_notes IS 'What the reviewer says.';
COMMENT ON COLUMN quarantine.quarantine_records.created_at IS 'When the row was created.';
COMMENT ON COLUMN quarantine.quarantine_records.org_id IS 'Organization that owns the record.';
