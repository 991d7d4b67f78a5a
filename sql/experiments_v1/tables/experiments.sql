CREATE TABLE experiments_v1.experiments (
    id           uuid        NOT NULL DEFAULT gen_random_uuid(),
    name         text        NOT NULL,
    description  text,
    version      text        NOT NULL DEFAULT 'v1',
    config       jsonb       NOT NULL DEFAULT '{}',
    dataset_id   uuid,
    status       text        NOT NULL DEFAULT 'created',
    created_by   uuid,
    created_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now(),
    started_at   timestamptz,
    completed_at timestamptz,
    org_id       uuid        NOT NULL DEFAULT tenancy.current_org_id(),
    CONSTRAINT experiments_pkey PRIMARY KEY (id),
    CONSTRAINT experiments_org_id_id_key UNIQUE (org_id, id),
    CONSTRAINT experiments_org_id_fkey FOREIGN KEY (org_id)
        REFERENCES tenancy.organizations (id) ON DELETE CASCADE,
    CONSTRAINT experiments_created_by_fkey FOREIGN KEY (created_by)
        REFERENCES auth.users (id) ON DELETE SET NULL,
    CONSTRAINT experiments_name_check CHECK (length(name) BETWEEN 1 AND 255),
    CONSTRAINT experiments_version_check CHECK (version IN ('v1')),
    CONSTRAINT experiments_config_check CHECK (jsonb_typeof(config) = 'object'),
    CONSTRAINT experiments_status_check CHECK (
        status IN ('created', 'running', 'completed', 'failed', 'evaluating', 'promoted', 'quarantined')),
    CONSTRAINT experiments_started_at_completed_at_check CHECK (completed_at >= started_at)
);

CREATE INDEX experiments_status_idx ON experiments_v1.experiments (status);
CREATE INDEX experiments_created_by_idx ON experiments_v1.experiments (created_by);
CREATE INDEX experiments_dataset_id_idx ON experiments_v1.experiments (dataset_id);
CREATE INDEX experiments_created_at_idx ON experiments_v1.experiments (created_at);

COMMENT ON TABLE experiments_v1.experiments IS 'Experiments of the experimentation zone.';
COMMENT ON COLUMN experiments_v1.experiments.id IS 'Primary key.';
COMMENT ON COLUMN experiments_v1.experiments.name IS 'Name of the experiment, 1 to 255 characters.';
COMMENT ON COLUMN experiments_v1.experiments.description IS 'What the experiment is about.';
COMMENT ON COLUMN experiments_v1.experiments.version IS 'Zone: always v1.';
COMMENT ON COLUMN experiments_v1.experiments.config IS 'Configuration that is tried, a JSON object.';
COMMENT ON COLUMN experiments_v1.experiments.dataset_id IS 'Dataset that it runs on; kept outside of the database.';
COMMENT ON COLUMN experiments_v1.experiments.status IS 'State: created, running, completed, failed, evaluating, promoted or quarantined.';
COMMENT ON COLUMN experiments_v1.experiments.created_by IS 'User who made it; NULL when none did or the user was deleted.';
COMMENT ON COLUMN experiments_v1.experiments.created_at IS 'When the row was created.';
COMMENT ON COLUMN experiments_v1.experiments.updated_at IS 'When the row was last changed; kept by a trigger.';
COMMENT ON COLUMN experiments_v1.experiments.started_at IS 'When it started; NULL before.';
COMMENT ON COLUMN experiments_v1.experiments.completed_at IS 'When it ended, not before started_at; NULL until then.';
COMMENT ON COLUMN experiments_v1.experiments.org_id IS 'Organization that owns the experiment.';
