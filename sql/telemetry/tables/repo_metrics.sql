CREATE TABLE telemetry.repo_metrics (
    id                   uuid                  NOT NULL DEFAULT gen_random_uuid(),
    repo_id              uuid                  NOT NULL,
    date                 date                  NOT NULL,
    period               telemetry.time_period NOT NULL DEFAULT 'day',
    org_id               uuid                  NOT NULL DEFAULT tenancy.current_org_id(),
    files_analyzed       integer               NOT NULL DEFAULT 0,
    ai_files             integer               NOT NULL DEFAULT 0,
    avg_ai_confidence    double precision,
    t1_boilerplate_files integer               NOT NULL DEFAULT 0,
    t2_glue_files        integer               NOT NULL DEFAULT 0,
    t3_core_files        integer               NOT NULL DEFAULT 0,
    t4_novel_files       integer               NOT NULL DEFAULT 0,
    created_at           timestamptz           NOT NULL DEFAULT now(),
    updated_at           timestamptz           NOT NULL DEFAULT now(),
    confidence_sum       numeric               NOT NULL DEFAULT 0,
    CONSTRAINT repo_metrics_pkey PRIMARY KEY (id),
    CONSTRAINT repo_metrics_org_id_repo_id_date_period_key UNIQUE (org_id, repo_id, date, period),
    CONSTRAINT repo_metrics_org_id_fkey FOREIGN KEY (org_id)
        REFERENCES tenancy.organizations (id) ON DELETE CASCADE,
    CONSTRAINT repo_metrics_org_id_repo_id_fkey FOREIGN KEY (org_id, repo_id)
        REFERENCES scm.repositories (org_id, id) ON DELETE CASCADE,
    CONSTRAINT repo_metrics_files_analyzed_check CHECK (files_analyzed >= 0),
    CONSTRAINT repo_metrics_ai_files_check CHECK (ai_files BETWEEN 0 AND files_analyzed),
    CONSTRAINT repo_metrics_avg_ai_confidence_check CHECK (avg_ai_confidence BETWEEN 0 AND 1),
    -- NaN counts as greater than all numbers.
    CONSTRAINT repo_metrics_confidence_sum_check CHECK (confidence_sum BETWEEN 0 AND files_analyzed),
    CONSTRAINT repo_metrics_t1_boilerplate_files_check CHECK (t1_boilerplate_files >= 0),
    CONSTRAINT repo_metrics_t2_glue_files_check CHECK (t2_glue_files >= 0),
    CONSTRAINT repo_metrics_t3_core_files_check CHECK (t3_core_files >= 0),
    CONSTRAINT repo_metrics_t4_novel_files_check CHECK (t4_novel_files >= 0),
    CONSTRAINT repo_metrics_tiers_check CHECK (
        t1_boilerplate_files::bigint + t2_glue_files + t3_core_files + t4_novel_files <= files_analyzed)
);

CREATE INDEX repo_metrics_repo_id_date_idx
    ON telemetry.repo_metrics (repo_id, date DESC);

COMMENT ON TABLE telemetry.repo_metrics IS 'Aggregates of telemetry.code_attribution per repository, date and period, computed ahead for dashboards.';
COMMENT ON COLUMN telemetry.repo_metrics.id IS 'Primary key.';
COMMENT ON COLUMN telemetry.repo_metrics.repo_id IS 'Repository that the numbers are about.';
COMMENT ON COLUMN telemetry.repo_metrics.date IS 'First day of the period, in UTC.';
COMMENT ON COLUMN telemetry.repo_metrics.period IS 'Length of the period.';
COMMENT ON COLUMN telemetry.repo_metrics.org_id IS 'Organization that owns the repository.';
COMMENT ON COLUMN telemetry.repo_metrics.files_analyzed IS 'Number of files attributed in the period.';
COMMENT ON COLUMN telemetry.repo_metrics.ai_files IS 'Number of them that count as written by a model: ai_confidence is at least the threshold of the repository.';
COMMENT ON COLUMN telemetry.repo_metrics.avg_ai_confidence IS 'Mean of ai_confidence over them, 0 to 1; NULL when there were none.';
COMMENT ON COLUMN telemetry.repo_metrics.t1_boilerplate_files IS 'Number of them in risk tier T1_boilerplate.';
COMMENT ON COLUMN telemetry.repo_metrics.t2_glue_files IS 'Number of them in risk tier T2_glue.';
COMMENT ON COLUMN telemetry.repo_metrics.t3_core_files IS 'Number of them in risk tier T3_core.';
COMMENT ON COLUMN telemetry.repo_metrics.t4_novel_files IS 'Number of them in risk tier T4_novel.';
COMMENT ON COLUMN telemetry.repo_metrics.created_at IS 'When the row was created.';
COMMENT ON COLUMN telemetry.repo_metrics.updated_at IS 'When the row was last changed; kept by a trigger.';
COMMENT ON COLUMN telemetry.repo_metrics.confidence_sum IS 'Exact sum of ai_confidence over them, of which weeks and months are added up.';
