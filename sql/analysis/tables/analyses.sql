CREATE TABLE analysis.analyses (
    id            uuid        NOT NULL DEFAULT gen_random_uuid(),
    repo_id       uuid        NOT NULL,
    pr_number     integer     NOT NULL,
    pr_title      text,
    head_sha      text        NOT NULL,
    base_sha      text,
    status        text        NOT NULL DEFAULT 'pending',
    triggered_by  uuid,
    started_at    timestamptz,
    completed_at  timestamptz,
    error_message text,
    metadata      jsonb       NOT NULL DEFAULT '{}',
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now(),
    org_id        uuid        NOT NULL DEFAULT tenancy.current_org_id(),
    CONSTRAINT analyses_pkey PRIMARY KEY (id),
    CONSTRAINT analyses_org_id_id_key UNIQUE (org_id, id),
    CONSTRAINT analyses_org_id_repo_id_fkey FOREIGN KEY (org_id, repo_id)
        REFERENCES scm.repositories (org_id, id) ON DELETE CASCADE,
    CONSTRAINT analyses_triggered_by_fkey FOREIGN KEY (triggered_by)
        REFERENCES auth.users (id) ON DELETE SET NULL,
    CONSTRAINT analyses_pr_number_check CHECK (pr_number > 0),
    CONSTRAINT analyses_head_sha_check CHECK (head_sha ~ '^([0-9a-f]{40}|[0-9a-f]{64})$'),
    CONSTRAINT analyses_base_sha_check CHECK (base_sha ~ '^([0-9a-f]{40}|[0-9a-f]{64})$'),
    CONSTRAINT analyses_status_check CHECK (status IN ('pending', 'running', 'completed', 'failed')),
    CONSTRAINT analyses_completed_at_check CHECK (completed_at >= started_at),
    CONSTRAINT analyses_metadata_check CHECK (jsonb_typeof(metadata) = 'object')
);

CREATE INDEX idx_analyses_repo_pr
    ON analysis.analyses (repo_id, pr_number);

CREATE INDEX idx_analyses_status
    ON analysis.analyses (status);

CREATE INDEX idx_analyses_created
    ON analysis.analyses (created_at);

CREATE INDEX idx_analyses_org_created
    ON analysis.analyses (repo_id, created_at DESC);

CREATE INDEX analyses_org_id_created_at_idx
    ON analysis.analyses (org_id, created_at DESC);

CREATE INDEX analyses_triggered_by_idx
    ON analysis.analyses (triggered_by)
    WHERE triggered_by IS NOT NULL;

-- Of two deliveries that name the same head at once, one asks for its analysis.
CREATE UNIQUE INDEX analyses_of_deliveries_key
    ON analysis.analyses (org_id, repo_id, pr_number, head_sha)
    WHERE metadata ? 'delivery';

COMMENT ON TABLE analysis.analyses IS 'Analyses of pull requests, from pending through running to completed or failed.';
COMMENT ON COLUMN analysis.analyses.id IS 'Primary key.';
COMMENT ON COLUMN analysis.analyses.repo_id IS 'Repository of the pull request.';
COMMENT ON COLUMN analysis.analyses.pr_number IS 'Number of the pull request, 1 or greater.';
COMMENT ON COLUMN analysis.analyses.pr_title IS 'Title of the pull request.';
COMMENT ON COLUMN analysis.analyses.head_sha IS 'Head commit: 40 or 64 lower-case hexadecimal digits.';
COMMENT ON COLUMN analysis.analyses.base_sha IS 'Base commit: 40 or 64 lower-case hexadecimal digits.';
COMMENT ON COLUMN analysis.analyses.status IS 'pending, running, completed or failed.';
COMMENT ON COLUMN analysis.analyses.triggered_by IS 'User who started the analysis; NULL for an API key, a webhook or a deleted user.';
COMMENT ON COLUMN analysis.analyses.started_at IS 'When the analysis began to run.';
COMMENT ON COLUMN analysis.analyses.completed_at IS 'When the analysis was completed or failed, not before started_at.';
COMMENT ON COLUMN analysis.analyses.error_message IS 'Why the analysis failed.';
COMMENT ON COLUMN analysis.analyses.metadata IS 'Further facts, a JSON object.';
COMMENT ON COLUMN analysis.analyses.created_at IS 'When the row was created.';
COMMENT ON COLUMN analysis.analyses.updated_at IS 'When the row was last changed; kept by a trigger.';
COMMENT ON COLUMN analysis.analyses.org_id IS 'Organization of the repository.';
