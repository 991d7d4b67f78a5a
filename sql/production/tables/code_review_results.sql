CREATE TABLE production.code_review_results (
    id                    uuid        NOT NULL DEFAULT gen_random_uuid(),
    session_id            uuid        NOT NULL,
    code_language         text,
    code_length           integer,
    overall_score         numeric,
    vulnerabilities_count integer     NOT NULL DEFAULT 0,
    issues_count          integer     NOT NULL DEFAULT 0,
    model_used            text,
    analysis_time_ms      integer,
    created_at            timestamptz NOT NULL DEFAULT now(),
    org_id                uuid        NOT NULL DEFAULT tenancy.current_org_id(),
    CONSTRAINT code_review_results_pkey PRIMARY KEY (id),
    CONSTRAINT code_review_results_org_id_session_id_fkey FOREIGN KEY (org_id, session_id)
        REFERENCES production.analysis_sessions (org_id, id) ON DELETE CASCADE,
    CONSTRAINT code_review_results_code_language_check CHECK (length(code_language) BETWEEN 1 AND 255),
    CONSTRAINT code_review_results_code_length_check CHECK (code_length >= 0),
    CONSTRAINT code_review_results_overall_score_check CHECK (overall_score BETWEEN 0 AND 100),
    CONSTRAINT code_review_results_vulnerabilities_count_check CHECK (vulnerabilities_count >= 0),
    CONSTRAINT code_review_results_issues_count_check CHECK (issues_count >= 0),
    CONSTRAINT code_review_results_model_used_check CHECK (length(model_used) BETWEEN 1 AND 255),
    CONSTRAINT code_review_results_analysis_time_ms_check CHECK (analysis_time_ms >= 0)
);

CREATE INDEX code_review_results_org_id_created_at_idx ON production.code_review_results (org_id, created_at DESC);
CREATE INDEX code_review_results_session_id_idx ON production.code_review_results (session_id);
CREATE INDEX code_review_results_code_language_idx ON production.code_review_results (code_language);

COMMENT ON TABLE production.code_review_results IS 'Summaries of code reviews by a model.';
COMMENT ON COLUMN production.code_review_results.id IS 'Primary key.';
COMMENT ON COLUMN production.code_review_results.session_id IS 'Session that the review was part of.';
COMMENT ON COLUMN production.code_review_results.code_language IS 'Programming language of the code, 1 to 255 characters.';
COMMENT ON COLUMN production.code_review_results.code_length IS 'Length of the code, in characters.';
COMMENT ON COLUMN production.code_review_results.overall_score IS 'Score of the code, 0 to 100, the best.';
COMMENT ON COLUMN production.code_review_results.vulnerabilities_count IS 'Number of vulnerabilities found.';
COMMENT ON COLUMN production.code_review_results.issues_count IS 'Number of issues found.';
COMMENT ON COLUMN production.code_review_results.model_used IS 'Model that reviewed the code, 1 to 255 characters.';
COMMENT ON COLUMN production.code_review_results.analysis_time_ms IS 'How long the review took, in milliseconds.';
COMMENT ON COLUMN production.code_review_results.created_at IS 'When the row was created.';
COMMENT ON COLUMN production.code_review_results.org_id IS 'Organization that the session belongs to.';
