CREATE TABLE analysis.trust_score_cache (
    id             uuid             NOT NULL DEFAULT gen_random_uuid(),
    repo_id        uuid             NOT NULL,
    file_path      text             NOT NULL,
    commit_sha     text             NOT NULL,
    score          double precision NOT NULL,
    risk_level     text             NOT NULL,
    ai_probability double precision NOT NULL DEFAULT 0.0,
    factors        jsonb            NOT NULL DEFAULT '{}',
    computed_at    timestamptz      NOT NULL DEFAULT now(),
    org_id         uuid             NOT NULL DEFAULT tenancy.current_org_id(),
    CONSTRAINT trust_score_cache_pkey PRIMARY KEY (id),
    CONSTRAINT trust_score_cache_org_id_repo_id_fkey FOREIGN KEY (org_id, repo_id)
        REFERENCES scm.repositories (org_id, id) ON DELETE CASCADE,
    CONSTRAINT trust_score_cache_commit_sha_check CHECK (commit_sha ~ '^([0-9a-f]{40}|[0-9a-f]{64})$'),
    CONSTRAINT trust_score_cache_score_check CHECK (score BETWEEN 0 AND 100),
    CONSTRAINT trust_score_cache_risk_level_check CHECK (risk_level IN ('low', 'medium', 'high', 'critical')),
    CONSTRAINT trust_score_cache_ai_probability_check CHECK (ai_probability BETWEEN 0 AND 1),
    CONSTRAINT trust_score_cache_factors_check CHECK (jsonb_typeof(factors) = 'object')
);

CREATE INDEX ix_trust_score_cache_repo_id
    ON analysis.trust_score_cache (repo_id);

CREATE UNIQUE INDEX ix_trust_score_cache_file_commit
    ON analysis.trust_score_cache (org_id, repo_id, file_path, commit_sha);

CREATE INDEX trust_score_cache_computed_at_idx
    ON analysis.trust_score_cache (computed_at);

COMMENT ON TABLE analysis.trust_score_cache IS 'Trust scores that were computed already, one for each file and commit of a repository.';
COMMENT ON COLUMN analysis.trust_score_cache.id IS 'Primary key.';
COMMENT ON COLUMN analysis.trust_score_cache.repo_id IS 'Repository of the file.';
COMMENT ON COLUMN analysis.trust_score_cache.file_path IS 'The file, relative to the root of the repository.';
COMMENT ON COLUMN analysis.trust_score_cache.commit_sha IS 'The commit: 40 or 64 lower-case hexadecimal digits.';
COMMENT ON COLUMN analysis.trust_score_cache.score IS 'Trust in the file, from 0 to 100.';
COMMENT ON COLUMN analysis.trust_score_cache.risk_level IS 'low, medium, high or critical.';
COMMENT ON COLUMN analysis.trust_score_cache.ai_probability IS 'Probability that a model wrote the file, from 0 to 1.';
COMMENT ON COLUMN analysis.trust_score_cache.factors IS 'What the score is made of, a JSON object.';
COMMENT ON COLUMN analysis.trust_score_cache.computed_at IS 'When the score was computed.';
COMMENT ON COLUMN analysis.trust_score_cache.org_id IS 'Organization of the repository.';
