CREATE TABLE analysis.analysis_stages (
    id            uuid        NOT NULL DEFAULT gen_random_uuid(),
    analysis_id   uuid        NOT NULL,
    stage_name    text        NOT NULL,
    status        text        NOT NULL DEFAULT 'pending',
    started_at    timestamptz,
    completed_at  timestamptz,
    duration_ms   integer,
    result        jsonb,
    error_message text,
    created_at    timestamptz NOT NULL DEFAULT now(),
    org_id        uuid        NOT NULL DEFAULT tenancy.current_org_id(),
    CONSTRAINT analysis_stages_pkey PRIMARY KEY (id),
    CONSTRAINT analysis_stages_org_id_analysis_id_fkey FOREIGN KEY (org_id, analysis_id)
        REFERENCES analysis.analyses (org_id, id) ON DELETE CASCADE,
    CONSTRAINT analysis_stages_stage_name_check CHECK (stage_name IN ('parse', 'semantic', 'formal', 'security')),
    CONSTRAINT analysis_stages_status_check CHECK (
        status IN ('pending', 'running', 'completed', 'failed', 'skipped')
    ),
    CONSTRAINT analysis_stages_completed_at_check CHECK (completed_at >= started_at),
    CONSTRAINT analysis_stages_duration_ms_check CHECK (duration_ms >= 0),
    CONSTRAINT analysis_stages_result_check CHECK (jsonb_typeof(result) IN ('object', 'array'))
);

CREATE INDEX idx_stages_analysis
    ON analysis.analysis_stages (analysis_id);

CREATE INDEX analysis_stages_org_id_analysis_id_idx
    ON analysis.analysis_stages (org_id, analysis_id);

COMMENT ON TABLE analysis.analysis_stages IS 'Stages of an analysis with their times and results. A stage that is run again has another row.';
COMMENT ON COLUMN analysis.analysis_stages.id IS 'Primary key.';
COMMENT ON COLUMN analysis.analysis_stages.analysis_id IS 'Analysis that the stage is part of.';
COMMENT ON COLUMN analysis.analysis_stages.stage_name IS 'parse, semantic, formal or security.';
COMMENT ON COLUMN analysis.analysis_stages.status IS 'pending, running, completed, failed or skipped.';
COMMENT ON COLUMN analysis.analysis_stages.started_at IS 'When the stage began.';
COMMENT ON COLUMN analysis.analysis_stages.completed_at IS 'When the stage ended, not before started_at.';
COMMENT ON COLUMN analysis.analysis_stages.duration_ms IS 'How long the stage took, in milliseconds.';
COMMENT ON COLUMN analysis.analysis_stages.result IS 'What the stage found, a JSON object or array.';
COMMENT ON COLUMN analysis.analysis_stages.error_message IS 'Why the stage failed.';
COMMENT ON COLUMN analysis.analysis_stages.created_at IS 'When the row was created.';
COMMENT ON COLUMN analysis.analysis_stages.org_id IS 'Organization of the analysis.';
