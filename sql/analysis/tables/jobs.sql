CREATE TABLE analysis.jobs (
    job_id          text        NOT NULL,
    user_id         uuid        NOT NULL,
    status          text        NOT NULL DEFAULT 'pending',
    source_kind     text        NOT NULL,
    source_metadata jsonb,
    result_run_id   uuid,
    error_message   text,
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now(),
    org_id          uuid        NOT NULL DEFAULT tenancy.current_org_id(),
    CONSTRAINT jobs_pkey PRIMARY KEY (job_id),
    CONSTRAINT jobs_user_id_fkey FOREIGN KEY (user_id)
        REFERENCES auth.users (id) ON DELETE CASCADE,
    CONSTRAINT jobs_org_id_fkey FOREIGN KEY (org_id)
        REFERENCES tenancy.organizations (id) ON DELETE CASCADE,
    CONSTRAINT jobs_org_id_result_run_id_fkey FOREIGN KEY (org_id, result_run_id)
        REFERENCES analysis.analysis_runs (org_id, run_id) ON DELETE SET NULL (result_run_id),
    CONSTRAINT jobs_job_id_check CHECK (length(job_id) BETWEEN 1 AND 255),
    CONSTRAINT jobs_status_check CHECK (status IN ('pending', 'running', 'completed', 'failed')),
    CONSTRAINT jobs_source_kind_check CHECK (source_kind IN ('upload', 'github')),
    CONSTRAINT jobs_source_metadata_check CHECK (jsonb_typeof(source_metadata) = 'object')
);

CREATE INDEX ix_jobs_user_id
    ON analysis.jobs (user_id);

CREATE INDEX ix_jobs_status
    ON analysis.jobs (status);

CREATE INDEX ix_jobs_status_updated
    ON analysis.jobs (status, updated_at);

CREATE INDEX jobs_org_id_result_run_id_idx
    ON analysis.jobs (org_id, result_run_id);

CREATE INDEX jobs_updated_at_idx
    ON analysis.jobs (updated_at)
    WHERE status IN ('completed', 'failed');

COMMENT ON TABLE analysis.jobs IS 'Queue of the runs that users asked for, from pending through running to completed or failed. Each user sees its own.';
COMMENT ON COLUMN analysis.jobs.job_id IS 'Primary key, given by the queue, 1 to 255 characters.';
COMMENT ON COLUMN analysis.jobs.user_id IS 'User who owns the job.';
COMMENT ON COLUMN analysis.jobs.status IS 'pending, running, completed or failed.';
COMMENT ON COLUMN analysis.jobs.source_kind IS 'Where the code comes from: upload or github.';
COMMENT ON COLUMN analysis.jobs.source_metadata IS 'What the job needs to run, such as the file in base64 or the repository URL, a JSON object.';
COMMENT ON COLUMN analysis.jobs.result_run_id IS 'The run that the job made; NULL until it is completed and after that run was deleted.';
COMMENT ON COLUMN analysis.jobs.error_message IS 'Why the job failed.';
COMMENT ON COLUMN analysis.jobs.created_at IS 'When the job was queued.';
COMMENT ON COLUMN analysis.jobs.updated_at IS 'When the row was last changed; kept by a trigger.';
COMMENT ON COLUMN analysis.jobs.org_id IS 'Organization in which the job was queued.';
