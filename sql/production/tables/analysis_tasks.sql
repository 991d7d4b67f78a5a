CREATE TABLE production.analysis_tasks (
    id            uuid        NOT NULL DEFAULT gen_random_uuid(),
    session_id    uuid        NOT NULL,
    type          text        NOT NULL,
    status        text        NOT NULL DEFAULT 'pending',
    result        jsonb,
    error_message text,
    started_at    timestamptz,
    finished_at   timestamptz,
    duration_ms   integer,
    created_at    timestamptz NOT NULL DEFAULT now(),
    org_id        uuid        NOT NULL DEFAULT tenancy.current_org_id(),
    CONSTRAINT analysis_tasks_pkey PRIMARY KEY (id),
    CONSTRAINT analysis_tasks_org_id_session_id_fkey FOREIGN KEY (org_id, session_id)
        REFERENCES production.analysis_sessions (org_id, id) ON DELETE CASCADE,
    CONSTRAINT analysis_tasks_type_check CHECK (type IN ('static', 'dynamic', 'graph', 'ai')),
    CONSTRAINT analysis_tasks_status_check CHECK (
        status IN ('pending', 'running', 'completed', 'failed', 'skipped')),
    CONSTRAINT analysis_tasks_result_check CHECK (jsonb_typeof(result) = 'object'),
    CONSTRAINT analysis_tasks_duration_ms_check CHECK (duration_ms >= 0),
    CONSTRAINT analysis_tasks_started_at_finished_at_check CHECK (finished_at >= started_at)
);

CREATE INDEX analysis_tasks_org_id_created_at_idx ON production.analysis_tasks (org_id, created_at DESC);
CREATE INDEX analysis_tasks_session_id_idx ON production.analysis_tasks (session_id);
CREATE INDEX analysis_tasks_type_idx ON production.analysis_tasks (type);
CREATE INDEX analysis_tasks_status_idx ON production.analysis_tasks (status);

COMMENT ON TABLE production.analysis_tasks IS 'Steps of an analysis session, run by workers.';
COMMENT ON COLUMN production.analysis_tasks.id IS 'Primary key.';
COMMENT ON COLUMN production.analysis_tasks.session_id IS 'Session that the task is part of.';
COMMENT ON COLUMN production.analysis_tasks.type IS 'Kind of analysis: static, dynamic, graph or ai.';
COMMENT ON COLUMN production.analysis_tasks.status IS 'State: pending, running, completed, failed or skipped.';
COMMENT ON COLUMN production.analysis_tasks.result IS 'What the task found, a JSON object; NULL before it completed.';
COMMENT ON COLUMN production.analysis_tasks.error_message IS 'Why it failed.';
COMMENT ON COLUMN production.analysis_tasks.started_at IS 'When it started; NULL before.';
COMMENT ON COLUMN production.analysis_tasks.finished_at IS 'When it ended, not before started_at; NULL until then.';
COMMENT ON COLUMN production.analysis_tasks.duration_ms IS 'How long it ran, in milliseconds.';
COMMENT ON COLUMN production.analysis_tasks.created_at IS 'When the row was created.';
COMMENT ON COLUMN production.analysis_tasks.org_id IS 'Organization that the session belongs to.';
