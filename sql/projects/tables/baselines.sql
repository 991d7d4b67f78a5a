CREATE TABLE projects.baselines (
    id          uuid        NOT NULL DEFAULT gen_random_uuid(),
    project_id  uuid        NOT NULL,
    metric_key  text        NOT NULL,
    threshold   numeric     NOT NULL,
    operator    text        NOT NULL DEFAULT '>=',
    snapshot_id uuid,
    active      boolean     NOT NULL DEFAULT true,
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    org_id      uuid        NOT NULL DEFAULT tenancy.current_org_id(),
    CONSTRAINT baselines_pkey PRIMARY KEY (id),
    CONSTRAINT baselines_org_id_project_id_fkey FOREIGN KEY (org_id, project_id)
        REFERENCES projects.projects (org_id, id) ON DELETE CASCADE,
    CONSTRAINT baselines_metric_key_check CHECK (length(metric_key) BETWEEN 1 AND 255),
    -- NaN counts as greater than all numbers.
    CONSTRAINT baselines_threshold_check CHECK (threshold > '-Infinity' AND threshold < 'Infinity'),
    CONSTRAINT baselines_operator_check CHECK (operator IN ('>', '<', '>=', '<=', '='))
);

CREATE INDEX baselines_org_id_metric_key_idx ON projects.baselines (org_id, metric_key);
CREATE INDEX baselines_project_id_idx ON projects.baselines (project_id);
CREATE INDEX baselines_active_idx ON projects.baselines (active);

COMMENT ON TABLE projects.baselines IS 'Conditions that the metrics of a project must meet.';
COMMENT ON COLUMN projects.baselines.id IS 'Primary key.';
COMMENT ON COLUMN projects.baselines.project_id IS 'Project that the baseline is for.';
COMMENT ON COLUMN projects.baselines.metric_key IS 'Name of the metric, 1 to 255 characters.';
COMMENT ON COLUMN projects.baselines.threshold IS 'Value that the metric is compared with, in the metric''s own unit.';
COMMENT ON COLUMN projects.baselines.operator IS 'How the metric compares with the threshold: >, <, >=, <= or =.';
COMMENT ON COLUMN projects.baselines.snapshot_id IS 'Snapshot that the threshold was taken from, if any.';
COMMENT ON COLUMN projects.baselines.active IS 'Whether the baseline is enforced.';
COMMENT ON COLUMN projects.baselines.created_at IS 'When the row was created.';
COMMENT ON COLUMN projects.baselines.updated_at IS 'When the row was last changed; kept by a trigger.';
COMMENT ON COLUMN projects.baselines.org_id IS 'Organization that owns the project.';
