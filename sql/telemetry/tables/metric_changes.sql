-- No foreign keys, since an entry outlives what it is about, and nothing unique: writers of the same day would wait for
-- each other.
CREATE TABLE telemetry.metric_changes (
    id       bigserial   NOT NULL,
    org_id   uuid        NOT NULL DEFAULT tenancy.current_org_id(),
    repo_id  uuid,
    date     date,
    noted_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT metric_changes_pkey PRIMARY KEY (id),
    CONSTRAINT metric_changes_repo_id_check CHECK (repo_id IS NOT NULL OR date IS NULL)
);

CREATE INDEX metric_changes_org_id_date_repo_id_idx
    ON telemetry.metric_changes (org_id, date, repo_id);

COMMENT ON TABLE telemetry.metric_changes IS 'Days whose attribution changed since telemetry.repo_metrics was last computed. A change and its entry are committed together, so nothing is missed, whichever writer commits last.';
COMMENT ON COLUMN telemetry.metric_changes.id IS 'Number of the entry.';
COMMENT ON COLUMN telemetry.metric_changes.org_id IS 'Organization whose metrics changed.';
COMMENT ON COLUMN telemetry.metric_changes.repo_id IS 'Repository that it is about; NULL for all of the organization''s.';
COMMENT ON COLUMN telemetry.metric_changes.date IS 'UTC day to compute anew; NULL for all that have metrics.';
COMMENT ON COLUMN telemetry.metric_changes.noted_at IS 'When it changed, by which the metrics'' delay is seen.';
