CREATE TABLE experiments_v1.comparison_reports (
    id               uuid        NOT NULL DEFAULT gen_random_uuid(),
    v1_experiment_id uuid        NOT NULL,
    v2_version_id    uuid,
    dataset_id       uuid,
    metrics          jsonb       NOT NULL DEFAULT '{}',
    recommendation   text,
    confidence       numeric,
    created_at       timestamptz NOT NULL DEFAULT now(),
    org_id           uuid        NOT NULL DEFAULT tenancy.current_org_id(),
    CONSTRAINT comparison_reports_pkey PRIMARY KEY (id),
    CONSTRAINT comparison_reports_org_id_v1_experiment_id_fkey FOREIGN KEY (org_id, v1_experiment_id)
        REFERENCES experiments_v1.experiments (org_id, id) ON DELETE CASCADE,
    CONSTRAINT comparison_reports_metrics_check CHECK (jsonb_typeof(metrics) = 'object'),
    CONSTRAINT comparison_reports_recommendation_check CHECK (length(recommendation) BETWEEN 1 AND 255),
    CONSTRAINT comparison_reports_confidence_check CHECK (confidence BETWEEN 0 AND 1)
);

CREATE INDEX comparison_reports_org_id_created_at_idx ON experiments_v1.comparison_reports (org_id, created_at DESC);
CREATE INDEX comparison_reports_v1_experiment_id_idx ON experiments_v1.comparison_reports (v1_experiment_id);
CREATE INDEX comparison_reports_v2_version_id_idx ON experiments_v1.comparison_reports (v2_version_id);

COMMENT ON TABLE experiments_v1.comparison_reports IS 'Comparisons of an experiment with the version in production.';
COMMENT ON COLUMN experiments_v1.comparison_reports.id IS 'Primary key.';
COMMENT ON COLUMN experiments_v1.comparison_reports.v1_experiment_id IS 'Experiment that is compared.';
COMMENT ON COLUMN experiments_v1.comparison_reports.v2_version_id IS 'Version that it is compared with; no foreign key, the report outlives it.';
COMMENT ON COLUMN experiments_v1.comparison_reports.dataset_id IS 'Dataset that both ran on; kept outside of the database.';
COMMENT ON COLUMN experiments_v1.comparison_reports.metrics IS 'What was measured on both, a JSON object.';
COMMENT ON COLUMN experiments_v1.comparison_reports.recommendation IS 'What the comparison advises, 1 to 255 characters.';
COMMENT ON COLUMN experiments_v1.comparison_reports.confidence IS 'How sure the advice is, 0 to 1.';
COMMENT ON COLUMN experiments_v1.comparison_reports.created_at IS 'When the row was created.';
COMMENT ON COLUMN experiments_v1.comparison_reports.org_id IS 'Organization that owns the experiment.';
