CREATE TABLE analysis.findings (
    id                 uuid             NOT NULL DEFAULT gen_random_uuid(),
    analysis_id        uuid             NOT NULL,
    category           text             NOT NULL,
    severity           text             NOT NULL,
    title              text             NOT NULL,
    description        text,
    file_path          text             NOT NULL,
    line_start         integer,
    line_end           integer,
    code_snippet       text,
    fix_suggestion     text,
    fix_diff           text,
    confidence         double precision,
    verification_type  text,
    verification_proof text,
    metadata           jsonb            NOT NULL DEFAULT '{}',
    dismissed          boolean          NOT NULL DEFAULT false,
    dismissed_by       uuid,
    dismissed_reason   text,
    created_at         timestamptz      NOT NULL DEFAULT now(),
    org_id             uuid             NOT NULL DEFAULT tenancy.current_org_id(),
    fingerprint        text,
    rule_id            text,
    dismissed_at       timestamptz,
    CONSTRAINT findings_pkey PRIMARY KEY (id),
    CONSTRAINT findings_org_id_id_key UNIQUE (org_id, id),
    CONSTRAINT findings_org_id_analysis_id_fingerprint_key UNIQUE (org_id, analysis_id, fingerprint),
    CONSTRAINT findings_org_id_analysis_id_fkey FOREIGN KEY (org_id, analysis_id)
        REFERENCES analysis.analyses (org_id, id) ON DELETE CASCADE,
    CONSTRAINT findings_dismissed_by_fkey FOREIGN KEY (dismissed_by)
        REFERENCES auth.users (id) ON DELETE SET NULL,
    CONSTRAINT findings_category_check CHECK (category IN ('verification', 'security', 'semantic')),
    CONSTRAINT findings_severity_check CHECK (severity IN ('critical', 'high', 'medium', 'low')),
    CONSTRAINT findings_line_start_check CHECK (line_start >= 1),
    CONSTRAINT findings_line_end_check CHECK (line_end >= coalesce(line_start, 1)),
    CONSTRAINT findings_confidence_check CHECK (confidence BETWEEN 0 AND 1),
    CONSTRAINT findings_verification_type_check CHECK (verification_type IN ('formal', 'ai', 'pattern')),
    CONSTRAINT findings_metadata_check CHECK (jsonb_typeof(metadata) = 'object'),
    CONSTRAINT findings_fingerprint_check CHECK (fingerprint ~ '^[0-9a-f]{64}$')
);

CREATE INDEX idx_findings_analysis
    ON analysis.findings (analysis_id);

CREATE INDEX idx_findings_category
    ON analysis.findings (category);

CREATE INDEX idx_findings_severity
    ON analysis.findings (severity);

CREATE INDEX idx_findings_text_search
    ON analysis.findings
    USING gin (to_tsvector('english', title || ' ' || coalesce(description, '')));

CREATE INDEX findings_dismissed_by_idx
    ON analysis.findings (dismissed_by)
    WHERE dismissed_by IS NOT NULL;

COMMENT ON TABLE analysis.findings IS 'What analyses found: one row for each defect, with where it is, how it was proved and whether it was dismissed.';
COMMENT ON COLUMN analysis.findings.id IS 'Primary key.';
COMMENT ON COLUMN analysis.findings.analysis_id IS 'Analysis that found it.';
COMMENT ON COLUMN analysis.findings.category IS 'verification, security or semantic.';
COMMENT ON COLUMN analysis.findings.severity IS 'critical, high, medium or low.';
COMMENT ON COLUMN analysis.findings.title IS 'What is wrong, in one line.';
COMMENT ON COLUMN analysis.findings.description IS 'What is wrong, in full.';
COMMENT ON COLUMN analysis.findings.file_path IS 'File it is in, relative to the root of the repository.';
COMMENT ON COLUMN analysis.findings.line_start IS 'First line, counted from 1; NULL where the whole file is meant.';
COMMENT ON COLUMN analysis.findings.line_end IS 'Last line, not before line_start.';
COMMENT ON COLUMN analysis.findings.code_snippet IS 'The code in question.';
COMMENT ON COLUMN analysis.findings.fix_suggestion IS 'How to fix it, in words.';
COMMENT ON COLUMN analysis.findings.fix_diff IS 'How to fix it, as a diff.';
COMMENT ON COLUMN analysis.findings.confidence IS 'How sure the analysis is, from 0 to 1.';
COMMENT ON COLUMN analysis.findings.verification_type IS 'How it was found: formal, ai or pattern.';
COMMENT ON COLUMN analysis.findings.verification_proof IS 'The proof, such as Z3 gives, or an explanation.';
COMMENT ON COLUMN analysis.findings.metadata IS 'Further facts such as CWE and OWASP, a JSON object.';
COMMENT ON COLUMN analysis.findings.dismissed IS 'Whether the finding was dismissed.';
COMMENT ON COLUMN analysis.findings.dismissed_by IS 'User who dismissed it; NULL for an API key, a suppression in the log or a deleted user.';
COMMENT ON COLUMN analysis.findings.dismissed_reason IS 'Why it was dismissed.';
COMMENT ON COLUMN analysis.findings.created_at IS 'When the row was created.';
COMMENT ON COLUMN analysis.findings.org_id IS 'Organization of the analysis.';
COMMENT ON COLUMN analysis.findings.fingerprint IS 'Identity of the result within its analysis, 64 lower-case hexadecimal digits: importing it again updates this row. NULL for a finding that has none.';
COMMENT ON COLUMN analysis.findings.rule_id IS 'The rule''s identifier in the tool that found it.';
COMMENT ON COLUMN analysis.findings.dismissed_at IS 'When it was dismissed.';
