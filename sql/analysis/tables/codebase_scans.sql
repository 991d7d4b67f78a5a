CREATE TABLE analysis.codebase_scans (
    id             uuid        NOT NULL DEFAULT gen_random_uuid(),
    repo_id        uuid        NOT NULL,
    branch         text        NOT NULL DEFAULT 'main',
    status         text        NOT NULL DEFAULT 'pending',
    triggered_by   text        NOT NULL DEFAULT 'manual',
    config         jsonb       NOT NULL DEFAULT '{}',
    started_at     timestamptz,
    completed_at   timestamptz,
    files_scanned  integer     NOT NULL DEFAULT 0,
    findings_count integer     NOT NULL DEFAULT 0,
    results        jsonb,
    error_message  text,
    created_at     timestamptz NOT NULL DEFAULT now(),
    org_id         uuid        NOT NULL DEFAULT tenancy.current_org_id(),
    CONSTRAINT codebase_scans_pkey PRIMARY KEY (id),
    CONSTRAINT codebase_scans_org_id_repo_id_fkey FOREIGN KEY (org_id, repo_id)
        REFERENCES scm.repositories (org_id, id) ON DELETE CASCADE,
    CONSTRAINT codebase_scans_branch_check CHECK (length(branch) BETWEEN 1 AND 255),
    CONSTRAINT codebase_scans_status_check CHECK (
        status IN ('pending', 'running', 'completed', 'failed', 'cancelled')
    ),
    CONSTRAINT codebase_scans_triggered_by_check CHECK (triggered_by IN ('manual', 'schedule', 'api')),
    CONSTRAINT codebase_scans_config_check CHECK (jsonb_typeof(config) = 'object'),
    CONSTRAINT codebase_scans_completed_at_check CHECK (completed_at >= started_at),
    CONSTRAINT codebase_scans_files_scanned_check CHECK (files_scanned >= 0),
    CONSTRAINT codebase_scans_findings_count_check CHECK (findings_count >= 0),
    CONSTRAINT codebase_scans_results_check CHECK (jsonb_typeof(results) IN ('object', 'array'))
);

CREATE INDEX ix_codebase_scans_repo_id
    ON analysis.codebase_scans (repo_id);

CREATE INDEX ix_codebase_scans_status
    ON analysis.codebase_scans (status);

CREATE INDEX codebase_scans_org_id_created_at_idx
    ON analysis.codebase_scans (org_id, created_at DESC);

COMMENT ON TABLE analysis.codebase_scans IS 'Scans of a whole branch of a repository.';
COMMENT ON COLUMN analysis.codebase_scans.id IS 'Primary key.';
COMMENT ON COLUMN analysis.codebase_scans.repo_id IS 'Repository that is scanned.';
COMMENT ON COLUMN analysis.codebase_scans.branch IS 'Branch that is scanned, 1 to 255 characters.';
COMMENT ON COLUMN analysis.codebase_scans.status IS 'pending, running, completed, failed or cancelled.';
COMMENT ON COLUMN analysis.codebase_scans.triggered_by IS 'What started the scan: manual, schedule or api.';
COMMENT ON COLUMN analysis.codebase_scans.config IS 'Settings of the scan, a JSON object.';
COMMENT ON COLUMN analysis.codebase_scans.started_at IS 'When the scan began to run.';
COMMENT ON COLUMN analysis.codebase_scans.completed_at IS 'When the scan ended, not before started_at.';
COMMENT ON COLUMN analysis.codebase_scans.files_scanned IS 'Files scanned so far.';
COMMENT ON COLUMN analysis.codebase_scans.findings_count IS 'Findings so far.';
COMMENT ON COLUMN analysis.codebase_scans.results IS 'Summary of the results, a JSON object or array; NULL until there are any.';
COMMENT ON COLUMN analysis.codebase_scans.error_message IS 'Why the scan failed.';
COMMENT ON COLUMN analysis.codebase_scans.created_at IS 'When the row was created.';
COMMENT ON COLUMN analysis.codebase_scans.org_id IS 'Organization of the repository.';
