CREATE TABLE analysis.diff_summary_cache (
    id              uuid        NOT NULL DEFAULT gen_random_uuid(),
    repo_id         uuid        NOT NULL,
    pr_number       integer     NOT NULL,
    head_sha        text        NOT NULL,
    title           text        NOT NULL,
    description     text        NOT NULL,
    changes         jsonb       NOT NULL DEFAULT '[]',
    risk_assessment jsonb       NOT NULL DEFAULT '{}',
    computed_at     timestamptz NOT NULL DEFAULT now(),
    org_id          uuid        NOT NULL DEFAULT tenancy.current_org_id(),
    CONSTRAINT diff_summary_cache_pkey PRIMARY KEY (id),
    CONSTRAINT diff_summary_cache_org_id_repo_id_fkey FOREIGN KEY (org_id, repo_id)
        REFERENCES scm.repositories (org_id, id) ON DELETE CASCADE,
    CONSTRAINT diff_summary_cache_pr_number_check CHECK (pr_number > 0),
    CONSTRAINT diff_summary_cache_head_sha_check CHECK (head_sha ~ '^([0-9a-f]{40}|[0-9a-f]{64})$'),
    CONSTRAINT diff_summary_cache_changes_check CHECK (jsonb_typeof(changes) = 'array'),
    CONSTRAINT diff_summary_cache_risk_assessment_check CHECK (jsonb_typeof(risk_assessment) = 'object')
);

CREATE INDEX ix_diff_summary_cache_repo_id
    ON analysis.diff_summary_cache (repo_id);

CREATE UNIQUE INDEX ix_diff_summary_cache_pr
    ON analysis.diff_summary_cache (org_id, repo_id, pr_number, head_sha);

CREATE INDEX diff_summary_cache_computed_at_idx
    ON analysis.diff_summary_cache (computed_at);

COMMENT ON TABLE analysis.diff_summary_cache IS 'Summaries of pull requests that a model wrote already, one for each head commit of a pull request.';
COMMENT ON COLUMN analysis.diff_summary_cache.id IS 'Primary key.';
COMMENT ON COLUMN analysis.diff_summary_cache.repo_id IS 'Repository of the pull request.';
COMMENT ON COLUMN analysis.diff_summary_cache.pr_number IS 'Number of the pull request, 1 or greater.';
COMMENT ON COLUMN analysis.diff_summary_cache.head_sha IS 'Head commit: 40 or 64 lower-case hexadecimal digits.';
COMMENT ON COLUMN analysis.diff_summary_cache.title IS 'Title of the summary.';
COMMENT ON COLUMN analysis.diff_summary_cache.description IS 'Text of the summary.';
COMMENT ON COLUMN analysis.diff_summary_cache.changes IS 'What changes, a JSON array.';
COMMENT ON COLUMN analysis.diff_summary_cache.risk_assessment IS 'What may go wrong, a JSON object.';
COMMENT ON COLUMN analysis.diff_summary_cache.computed_at IS 'When the summary was written.';
COMMENT ON COLUMN analysis.diff_summary_cache.org_id IS 'Organization of the repository.';
