CREATE TABLE analysis.analysis_runs (
    run_id          uuid        NOT NULL DEFAULT gen_random_uuid(),
    user_id         uuid        NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now(),
    upload_filename text,
    submission_type text        NOT NULL,
    project_name    text,
    author_type     text,
    author_model    text,
    git_repo_url    text,
    git_branch      text,
    git_commit_sha  text,
    metrics         jsonb       NOT NULL,
    file_tree       jsonb,
    errors          jsonb       NOT NULL DEFAULT '[]',
    org_id          uuid        NOT NULL DEFAULT tenancy.current_org_id(),
    CONSTRAINT analysis_runs_pkey PRIMARY KEY (run_id),
    CONSTRAINT analysis_runs_org_id_run_id_key UNIQUE (org_id, run_id),
    CONSTRAINT analysis_runs_user_id_fkey FOREIGN KEY (user_id)
        REFERENCES auth.users (id) ON DELETE CASCADE,
    CONSTRAINT analysis_runs_org_id_fkey FOREIGN KEY (org_id)
        REFERENCES tenancy.organizations (id) ON DELETE CASCADE,
    CONSTRAINT analysis_runs_submission_type_check CHECK (submission_type IN ('upload', 'github')),
    CONSTRAINT analysis_runs_author_type_check CHECK (author_type IN ('human', 'ai')),
    CONSTRAINT analysis_runs_git_repo_url_check CHECK (git_repo_url ~* '^(https?://|ssh://|git@)[^\s]+$'),
    CONSTRAINT analysis_runs_git_commit_sha_check CHECK (git_commit_sha ~ '^([0-9a-f]{40}|[0-9a-f]{64})$'),
    CONSTRAINT analysis_runs_source_check CHECK (
        CASE submission_type
            WHEN 'upload' THEN num_nonnulls(git_repo_url, git_branch, git_commit_sha) = 0
            WHEN 'github' THEN upload_filename IS NULL
        END
    ),
    CONSTRAINT analysis_runs_metrics_check CHECK (jsonb_typeof(metrics) = 'object'),
    CONSTRAINT analysis_runs_file_tree_check CHECK (jsonb_typeof(file_tree) IN ('object', 'array')),
    CONSTRAINT analysis_runs_errors_check CHECK (
        jsonb_typeof(errors) = 'array'
        AND NOT jsonb_path_exists(errors, 'strict $[*] ? (@.type() <> "string")', silent => true)
    )
);

CREATE INDEX ix_analysis_runs_user_id
    ON analysis.analysis_runs (user_id);

CREATE INDEX ix_analysis_runs_created_at
    ON analysis.analysis_runs (created_at);

COMMENT ON TABLE analysis.analysis_runs IS 'Results of analyses that users asked for by upload or by repository URL. Each user sees its own.';
COMMENT ON COLUMN analysis.analysis_runs.run_id IS 'Primary key.';
COMMENT ON COLUMN analysis.analysis_runs.user_id IS 'User who owns the run.';
COMMENT ON COLUMN analysis.analysis_runs.created_at IS 'When the run was made.';
COMMENT ON COLUMN analysis.analysis_runs.upload_filename IS 'Name of the uploaded file; NULL for a repository.';
COMMENT ON COLUMN analysis.analysis_runs.submission_type IS 'Where the code came from: upload or github.';
COMMENT ON COLUMN analysis.analysis_runs.project_name IS 'Name that the user gave the project.';
COMMENT ON COLUMN analysis.analysis_runs.author_type IS 'Who wrote the code: human or ai.';
COMMENT ON COLUMN analysis.analysis_runs.author_model IS 'Who exactly, such as developer, chatgpt or gpt-4.';
COMMENT ON COLUMN analysis.analysis_runs.git_repo_url IS 'URL of the repository (http, https, ssh or git@); NULL for an upload.';
COMMENT ON COLUMN analysis.analysis_runs.git_branch IS 'Branch of the repository; NULL for an upload.';
COMMENT ON COLUMN analysis.analysis_runs.git_commit_sha IS 'Commit, 40 or 64 lower-case hexadecimal digits; NULL for an upload.';
COMMENT ON COLUMN analysis.analysis_runs.metrics IS 'Aggregates of all collectors, a JSON object; nothing about single files.';
COMMENT ON COLUMN analysis.analysis_runs.file_tree IS 'Tree of the files with their metrics and severity scores, a JSON object or array; NULL for old runs.';
COMMENT ON COLUMN analysis.analysis_runs.errors IS 'Errors of the collectors, a JSON array of strings.';
COMMENT ON COLUMN analysis.analysis_runs.org_id IS 'Organization in which the run was made.';
