CREATE TABLE analysis.scan_schedules (
    id              uuid        NOT NULL DEFAULT gen_random_uuid(),
    repo_id         uuid        NOT NULL,
    branch          text        NOT NULL DEFAULT 'main',
    cron_expression text        NOT NULL,
    config          jsonb       NOT NULL DEFAULT '{}',
    enabled         boolean     NOT NULL DEFAULT true,
    last_run_at     timestamptz,
    next_run_at     timestamptz,
    created_by      uuid        DEFAULT tenancy.current_user_id(),
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now(),
    org_id          uuid        NOT NULL DEFAULT tenancy.current_org_id(),
    CONSTRAINT scan_schedules_pkey PRIMARY KEY (id),
    CONSTRAINT scan_schedules_org_id_repo_id_fkey FOREIGN KEY (org_id, repo_id)
        REFERENCES scm.repositories (org_id, id) ON DELETE CASCADE,
    CONSTRAINT scan_schedules_created_by_fkey FOREIGN KEY (created_by)
        REFERENCES auth.users (id) ON DELETE SET NULL,
    CONSTRAINT scan_schedules_branch_check CHECK (length(branch) BETWEEN 1 AND 255),
    CONSTRAINT scan_schedules_cron_expression_check CHECK (
        length(cron_expression) <= 100
        AND codeverify.is_cron_expression(cron_expression)
    ),
    CONSTRAINT scan_schedules_config_check CHECK (jsonb_typeof(config) = 'object')
);

CREATE INDEX ix_scan_schedules_repo_id
    ON analysis.scan_schedules (repo_id);

CREATE INDEX ix_scan_schedules_next_run_at
    ON analysis.scan_schedules (next_run_at);

CREATE INDEX scan_schedules_org_id_idx
    ON analysis.scan_schedules (org_id);

CREATE INDEX scan_schedules_created_by_idx
    ON analysis.scan_schedules (created_by)
    WHERE created_by IS NOT NULL;

COMMENT ON TABLE analysis.scan_schedules IS 'When which branches are scanned on their own.';
COMMENT ON COLUMN analysis.scan_schedules.id IS 'Primary key.';
COMMENT ON COLUMN analysis.scan_schedules.repo_id IS 'Repository to scan.';
COMMENT ON COLUMN analysis.scan_schedules.branch IS 'Branch to scan, 1 to 255 characters.';
COMMENT ON COLUMN analysis.scan_schedules.cron_expression IS 'When to scan, as codeverify.is_cron_expression() takes it, at most 100 characters.';
COMMENT ON COLUMN analysis.scan_schedules.config IS 'Settings of the scans, a JSON object.';
COMMENT ON COLUMN analysis.scan_schedules.enabled IS 'Whether the schedule is in force.';
COMMENT ON COLUMN analysis.scan_schedules.last_run_at IS 'When it last started a scan.';
COMMENT ON COLUMN analysis.scan_schedules.next_run_at IS 'When it is due next.';
COMMENT ON COLUMN analysis.scan_schedules.created_by IS 'User who made the schedule; NULL for an API key or a deleted user.';
COMMENT ON COLUMN analysis.scan_schedules.created_at IS 'When the row was created.';
COMMENT ON COLUMN analysis.scan_schedules.updated_at IS 'When the row was last changed; kept by a trigger.';
COMMENT ON COLUMN analysis.scan_schedules.org_id IS 'Organization of the repository.';
