-- No foreign keys, since an entry outlives what it is about, and nothing unique but its number: writers of the same day would
-- wait for each other.
CREATE TABLE codeverify.metric_changes (
    id         bigserial   NOT NULL,
    relation   text        NOT NULL,
    org_id     uuid        NOT NULL DEFAULT tenancy.current_org_id(),
    subject_id uuid,
    date       date,
    noted_at   timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT metric_changes_pkey PRIMARY KEY (relation, id),
    CONSTRAINT metric_changes_relation_check CHECK (relation IN ('telemetry.repo_metrics', 'providers.usage_metrics')),
    CONSTRAINT metric_changes_subject_id_check CHECK (subject_id IS NOT NULL OR date IS NULL)
);

CREATE INDEX metric_changes_org_id_relation_date_subject_id_idx
    ON codeverify.metric_changes (org_id, relation, date, subject_id);

COMMENT ON TABLE codeverify.metric_changes IS 'Days whose metrics are out of date. A change and its entry are committed together, so nothing is missed, whichever writer commits last.';
COMMENT ON COLUMN codeverify.metric_changes.id IS 'Number of the entry.';
COMMENT ON COLUMN codeverify.metric_changes.relation IS 'Table of metrics: telemetry.repo_metrics or providers.usage_metrics.';
COMMENT ON COLUMN codeverify.metric_changes.org_id IS 'Organization whose metrics they are.';
COMMENT ON COLUMN codeverify.metric_changes.subject_id IS 'Repository whose attribution changed, or user whose usage did; NULL for all of the organization''s.';
COMMENT ON COLUMN codeverify.metric_changes.date IS 'UTC day to compute anew; NULL for all that have metrics.';
COMMENT ON COLUMN codeverify.metric_changes.noted_at IS 'When it changed, by which the metrics'' delay is seen.';
