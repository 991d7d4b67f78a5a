CREATE TABLE auth.audit_logs (
    id         uuid        NOT NULL DEFAULT gen_random_uuid(),
    user_id    uuid,
    action     text        NOT NULL,
    resource   text,
    status     text        NOT NULL DEFAULT 'success',
    details    jsonb       NOT NULL DEFAULT '{}',
    ip_address text,
    user_agent text,
    created_at timestamptz NOT NULL DEFAULT now(),
    org_id     uuid        DEFAULT tenancy.current_org_id(),
    CONSTRAINT audit_logs_pkey PRIMARY KEY (id),
    CONSTRAINT audit_logs_user_id_fkey FOREIGN KEY (user_id)
        REFERENCES auth.users (id) ON DELETE SET NULL,
    CONSTRAINT audit_logs_org_id_fkey FOREIGN KEY (org_id)
        REFERENCES tenancy.organizations (id) ON DELETE CASCADE,
    CONSTRAINT audit_logs_action_check CHECK (length(action) BETWEEN 1 AND 255),
    CONSTRAINT audit_logs_status_check CHECK (status IN ('success', 'failure')),
    CONSTRAINT audit_logs_details_check CHECK (jsonb_typeof(details) = 'object'),
    CONSTRAINT audit_logs_ip_address_check CHECK (length(ip_address) BETWEEN 1 AND 45)
);

CREATE INDEX audit_logs_user_id_idx
    ON auth.audit_logs (user_id);

CREATE INDEX audit_logs_action_idx
    ON auth.audit_logs (action);

CREATE INDEX audit_logs_created_at_idx
    ON auth.audit_logs (created_at);

CREATE INDEX audit_logs_org_id_created_at_idx
    ON auth.audit_logs (org_id, created_at DESC);

COMMENT ON TABLE auth.audit_logs IS 'What happened around log-in and access, including failures. What tenants do to their data is in audits.audit_log.';
COMMENT ON COLUMN auth.audit_logs.id IS 'Primary key.';
COMMENT ON COLUMN auth.audit_logs.user_id IS 'User who acted; NULL when unknown or deleted.';
COMMENT ON COLUMN auth.audit_logs.action IS 'What was done, 1 to 255 characters.';
COMMENT ON COLUMN auth.audit_logs.resource IS 'What it was done to.';
COMMENT ON COLUMN auth.audit_logs.status IS 'success or failure.';
COMMENT ON COLUMN auth.audit_logs.details IS 'Further facts, a JSON object; never a secret.';
COMMENT ON COLUMN auth.audit_logs.ip_address IS 'Client''s IP address, at most 45 characters.';
COMMENT ON COLUMN auth.audit_logs.user_agent IS 'Client''s User-Agent header.';
COMMENT ON COLUMN auth.audit_logs.created_at IS 'When it happened.';
COMMENT ON COLUMN auth.audit_logs.org_id IS 'Organization it happened in; NULL where there is none yet, as for a failed log-in.';
