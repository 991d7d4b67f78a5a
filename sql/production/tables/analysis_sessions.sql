CREATE TABLE production.analysis_sessions (
    id            uuid        NOT NULL DEFAULT gen_random_uuid(),
    user_id       uuid        NOT NULL,
    project_id    uuid,
    version       text        NOT NULL DEFAULT 'v2',
    status        text        NOT NULL DEFAULT 'created',
    started_at    timestamptz,
    finished_at   timestamptz,
    error_message text,
    metadata      jsonb       NOT NULL DEFAULT '{}',
    created_at    timestamptz NOT NULL DEFAULT now(),
    org_id        uuid        NOT NULL DEFAULT tenancy.current_org_id(),
    CONSTRAINT analysis_sessions_pkey PRIMARY KEY (id),
    CONSTRAINT analysis_sessions_org_id_id_key UNIQUE (org_id, id),
    CONSTRAINT analysis_sessions_org_id_fkey FOREIGN KEY (org_id)
        REFERENCES tenancy.organizations (id) ON DELETE CASCADE,
    CONSTRAINT analysis_sessions_user_id_fkey FOREIGN KEY (user_id)
        REFERENCES auth.users (id) ON DELETE CASCADE,
    CONSTRAINT analysis_sessions_org_id_project_id_fkey FOREIGN KEY (org_id, project_id)
        REFERENCES projects.projects (org_id, id) ON DELETE CASCADE,
    CONSTRAINT analysis_sessions_version_check CHECK (version IN ('v1', 'v2', 'v3')),
    CONSTRAINT analysis_sessions_status_check CHECK (
        status IN ('created', 'queued', 'running', 'completed', 'failed', 'cancelled')),
    CONSTRAINT analysis_sessions_metadata_check CHECK (jsonb_typeof(metadata) = 'object'),
    CONSTRAINT analysis_sessions_started_at_finished_at_check CHECK (finished_at >= started_at)
);

CREATE INDEX analysis_sessions_user_id_idx ON production.analysis_sessions (user_id);
CREATE INDEX analysis_sessions_project_id_idx ON production.analysis_sessions (project_id);
CREATE INDEX analysis_sessions_status_idx ON production.analysis_sessions (status);
CREATE INDEX analysis_sessions_started_at_idx ON production.analysis_sessions (started_at);

COMMENT ON TABLE production.analysis_sessions IS 'Sessions in which a user has code analysed; each user sees its own.';
COMMENT ON COLUMN production.analysis_sessions.id IS 'Primary key.';
COMMENT ON COLUMN production.analysis_sessions.user_id IS 'User whose session it is.';
COMMENT ON COLUMN production.analysis_sessions.project_id IS 'Project that is analysed; NULL when it is none.';
COMMENT ON COLUMN production.analysis_sessions.version IS 'Zone that analyses: v1 (experimentation), v2 (production) or v3 (quarantine).';
COMMENT ON COLUMN production.analysis_sessions.status IS 'State: created, queued, running, completed, failed or cancelled.';
COMMENT ON COLUMN production.analysis_sessions.started_at IS 'When it started; NULL before.';
COMMENT ON COLUMN production.analysis_sessions.finished_at IS 'When it ended, not before started_at; NULL until then.';
COMMENT ON COLUMN production.analysis_sessions.error_message IS 'Why it failed.';
COMMENT ON COLUMN production.analysis_sessions.metadata IS 'What else is known about the session, a JSON object.';
COMMENT ON COLUMN production.analysis_sessions.created_at IS 'When the row was created.';
COMMENT ON COLUMN production.analysis_sessions.org_id IS 'Organization that the session belongs to.';
