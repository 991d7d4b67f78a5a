CREATE TABLE auth.sessions (
    id                       uuid        NOT NULL DEFAULT gen_random_uuid(),
    user_id                  uuid        NOT NULL,
    session_token_hash       text,
    expires_at               timestamptz NOT NULL,
    refresh_token_hash       text,
    device_info              jsonb       NOT NULL DEFAULT '{}',
    created_at               timestamptz NOT NULL DEFAULT now(),
    last_used                timestamptz,
    absolute_expires_at      timestamptz,
    session_token_expires_at timestamptz,
    ip_address               text,
    login_org_id             uuid,
    refreshed_at             timestamptz,
    parent_token_hash        text,
    child_salt               bytea,
    CONSTRAINT sessions_pkey PRIMARY KEY (id),
    CONSTRAINT sessions_session_token_hash_key UNIQUE (session_token_hash),
    CONSTRAINT sessions_refresh_token_hash_key UNIQUE (refresh_token_hash),
    CONSTRAINT sessions_user_id_fkey FOREIGN KEY (user_id)
        REFERENCES auth.users (id) ON DELETE CASCADE,
    CONSTRAINT sessions_session_token_hash_check CHECK (session_token_hash ~ '^[0-9a-f]{64}$'),
    CONSTRAINT sessions_refresh_token_hash_check CHECK (refresh_token_hash ~ '^[0-9a-f]{64}$'),
    CONSTRAINT sessions_token_check CHECK (num_nonnulls(session_token_hash, refresh_token_hash) > 0),
    CONSTRAINT sessions_expires_at_check CHECK (expires_at > created_at),
    CONSTRAINT sessions_login_org_id_fkey FOREIGN KEY (login_org_id)
        REFERENCES tenancy.organizations (id) ON DELETE SET NULL,
    CONSTRAINT sessions_absolute_expires_at_check CHECK (absolute_expires_at >= expires_at),
    CONSTRAINT sessions_ip_address_check CHECK (length(ip_address) BETWEEN 1 AND 45),
    CONSTRAINT sessions_parent_token_hash_check CHECK (parent_token_hash ~ '^[0-9a-f]{64}$'),
    CONSTRAINT sessions_child_salt_check CHECK (length(child_salt) = 32),
    CONSTRAINT sessions_session_token_expires_at_check CHECK (session_token_expires_at > created_at),
    CONSTRAINT sessions_exchange_check CHECK (num_nulls(refreshed_at, parent_token_hash, child_salt) IN (0, 3)),
    CONSTRAINT sessions_device_info_check CHECK (jsonb_typeof(device_info) = 'object')
);

CREATE INDEX sessions_user_id_idx
    ON auth.sessions (user_id);

CREATE INDEX sessions_login_org_id_idx
    ON auth.sessions (login_org_id)
    WHERE login_org_id IS NOT NULL;

CREATE INDEX sessions_expires_at_idx
    ON auth.sessions (expires_at);

COMMENT ON TABLE auth.sessions IS 'Log-in sessions of users. A session has a cookie token, a refresh token or both; only their hashes are kept. Those that were ended early are in auth.session_revocations.';
COMMENT ON COLUMN auth.sessions.id IS 'Primary key.';
COMMENT ON COLUMN auth.sessions.user_id IS 'User who logged in.';
COMMENT ON COLUMN auth.sessions.session_token_hash IS 'SHA-256 of the cookie token, 64 hexadecimal digits.';
COMMENT ON COLUMN auth.sessions.expires_at IS 'When the session ends unless it is used or refreshed before; see codeverify.session_idle_timeout.';
COMMENT ON COLUMN auth.sessions.refresh_token_hash IS 'SHA-256 of the refresh token, 64 hexadecimal digits.';
COMMENT ON COLUMN auth.sessions.device_info IS 'Fingerprint of the device, a JSON object.';
COMMENT ON COLUMN auth.sessions.created_at IS 'When the session began.';
COMMENT ON COLUMN auth.sessions.last_used IS 'When the session was last used; NULL before its first use.';
COMMENT ON COLUMN auth.sessions.absolute_expires_at IS 'When the session ends however much it is used; expires_at moves with its use up to here. NULL for a session whose expires_at does not move.';
COMMENT ON COLUMN auth.sessions.session_token_expires_at IS 'When the cookie token ends and takes a refresh; NULL for one that lasts as long as the session.';
COMMENT ON COLUMN auth.sessions.ip_address IS 'Address that the user logged in from, at most 45 characters.';
COMMENT ON COLUMN auth.sessions.login_org_id IS 'Organization that was chosen at log-in; NULL when none was, or it was deleted.';
COMMENT ON COLUMN auth.sessions.refreshed_at IS 'When the refresh token was last exchanged for its child; NULL before the first time.';
COMMENT ON COLUMN auth.sessions.parent_token_hash IS 'SHA-256 of the refresh token that was exchanged last. Within 10 seconds it gives the same child again.';
COMMENT ON COLUMN auth.sessions.child_salt IS 'What, together with the text of the parent, the current tokens were derived from. Not readable by tenants.';
