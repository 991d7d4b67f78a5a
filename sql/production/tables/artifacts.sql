CREATE TABLE production.artifacts (
    id         uuid        NOT NULL DEFAULT gen_random_uuid(),
    session_id uuid        NOT NULL,
    type       text        NOT NULL,
    s3_uri     text        NOT NULL,
    sha256     text,
    size_bytes bigint,
    metadata   jsonb       NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz,
    org_id     uuid        NOT NULL DEFAULT tenancy.current_org_id(),
    CONSTRAINT artifacts_pkey PRIMARY KEY (id),
    CONSTRAINT artifacts_org_id_session_id_fkey FOREIGN KEY (org_id, session_id)
        REFERENCES production.analysis_sessions (org_id, id) ON DELETE CASCADE,
    CONSTRAINT artifacts_type_check CHECK (type IN ('report', 'patch', 'log', 'metrics')),
    CONSTRAINT artifacts_s3_uri_check CHECK (s3_uri ~ '^s3://[^\s]+$'),
    CONSTRAINT artifacts_sha256_check CHECK (sha256 ~ '^[0-9a-f]{64}$'),
    CONSTRAINT artifacts_size_bytes_check CHECK (size_bytes >= 0),
    CONSTRAINT artifacts_metadata_check CHECK (jsonb_typeof(metadata) = 'object'),
    CONSTRAINT artifacts_created_at_expires_at_check CHECK (expires_at > created_at)
);

CREATE INDEX artifacts_org_id_created_at_idx ON production.artifacts (org_id, created_at DESC);
CREATE INDEX artifacts_session_id_idx ON production.artifacts (session_id);
CREATE INDEX artifacts_type_idx ON production.artifacts (type);
CREATE INDEX artifacts_expires_at_idx ON production.artifacts (expires_at);

COMMENT ON TABLE production.artifacts IS 'Files that analysis sessions left in S3.';
COMMENT ON COLUMN production.artifacts.id IS 'Primary key.';
COMMENT ON COLUMN production.artifacts.session_id IS 'Session that made the artifact.';
COMMENT ON COLUMN production.artifacts.type IS 'Kind of artifact: report, patch, log or metrics.';
COMMENT ON COLUMN production.artifacts.s3_uri IS 'Where it is stored, a URI that begins with s3://.';
COMMENT ON COLUMN production.artifacts.sha256 IS 'SHA-256 of the content, 64 lower-case hex digits.';
COMMENT ON COLUMN production.artifacts.size_bytes IS 'Size of the content, in bytes.';
COMMENT ON COLUMN production.artifacts.metadata IS 'What else is known about the artifact, a JSON object.';
COMMENT ON COLUMN production.artifacts.created_at IS 'When the row was created.';
COMMENT ON COLUMN production.artifacts.expires_at IS 'When a temporary artifact may be removed, after created_at; NULL for one that is kept.';
COMMENT ON COLUMN production.artifacts.org_id IS 'Organization that the session belongs to.';
