CREATE TABLE telemetry.code_attribution (
    id                uuid                       NOT NULL DEFAULT gen_random_uuid(),
    commit_sha        text                       NOT NULL,
    file_path         text                       NOT NULL,
    repo_id           uuid                       NOT NULL,
    ai_confidence     double precision           NOT NULL,
    risk_tier         telemetry.risk_tier        NOT NULL,
    created_at        timestamptz                NOT NULL DEFAULT now(),
    detection_signals jsonb                      NOT NULL DEFAULT '{}',
    detection_method  telemetry.detection_method NOT NULL DEFAULT 'heuristic',
    org_id            uuid                       NOT NULL DEFAULT tenancy.current_org_id(),
    detected_at       timestamptz                NOT NULL DEFAULT now(),
    CONSTRAINT code_attribution_pkey PRIMARY KEY (id),
    CONSTRAINT code_attribution_org_id_commit_sha_file_path_key UNIQUE (org_id, commit_sha, file_path),
    CONSTRAINT code_attribution_org_id_fkey FOREIGN KEY (org_id)
        REFERENCES tenancy.organizations (id) ON DELETE CASCADE,
    CONSTRAINT code_attribution_org_id_repo_id_fkey FOREIGN KEY (org_id, repo_id)
        REFERENCES scm.repositories (org_id, id) ON DELETE CASCADE,
    CONSTRAINT code_attribution_commit_sha_check CHECK (commit_sha ~ '^([0-9a-f]{40}|[0-9a-f]{64})$'),
    CONSTRAINT code_attribution_file_path_check CHECK (length(file_path) BETWEEN 1 AND 1024),
    CONSTRAINT code_attribution_ai_confidence_check CHECK (ai_confidence BETWEEN 0 AND 1),
    -- What has no day in the calendar would stop the metrics.
    CONSTRAINT code_attribution_created_at_check CHECK (
        created_at >= '1970-01-01 00:00:00+00' AND created_at < '10000-01-01 00:00:00+00'),
    CONSTRAINT code_attribution_detection_signals_check CHECK (jsonb_typeof(detection_signals) = 'object')
);

CREATE INDEX code_attribution_repo_id_ai_confidence_idx
    ON telemetry.code_attribution (repo_id, ai_confidence DESC);
CREATE INDEX code_attribution_repo_id_risk_tier_created_at_idx
    ON telemetry.code_attribution (repo_id, risk_tier, created_at);
-- The metrics count a repository's day anew.
CREATE INDEX code_attribution_org_id_repo_id_created_at_idx
    ON telemetry.code_attribution (org_id, repo_id, created_at);

COMMENT ON TABLE telemetry.code_attribution IS 'Who wrote a file of a commit, person or model, as the detection found it; one row per file, filled after the event.';
COMMENT ON COLUMN telemetry.code_attribution.id IS 'Primary key.';
COMMENT ON COLUMN telemetry.code_attribution.commit_sha IS 'Commit, 40 or 64 lower-case hex digits.';
COMMENT ON COLUMN telemetry.code_attribution.file_path IS 'Path of the file in the repository, 1 to 1024 characters.';
COMMENT ON COLUMN telemetry.code_attribution.repo_id IS 'Repository of the commit.';
COMMENT ON COLUMN telemetry.code_attribution.ai_confidence IS 'Probability that a model wrote the code, 0 to 1.';
COMMENT ON COLUMN telemetry.code_attribution.risk_tier IS 'How risky the code is by what it does.';
COMMENT ON COLUMN telemetry.code_attribution.created_at IS 'When the row was created; the UTC day that the metrics count the file in.';
COMMENT ON COLUMN telemetry.code_attribution.detection_signals IS 'What the detection saw, such as outputs of a model, a JSON object.';
COMMENT ON COLUMN telemetry.code_attribution.detection_method IS 'How the origin was found.';
COMMENT ON COLUMN telemetry.code_attribution.org_id IS 'Organization that owns the repository.';
COMMENT ON COLUMN telemetry.code_attribution.detected_at IS 'When the origin was found: what was found earlier and arrives later changes nothing.';
