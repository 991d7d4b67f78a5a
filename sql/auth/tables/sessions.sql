CREATE TABLE auth.sessions (
    id                 uuid        NOT NULL DEFAULT gen_random_uuid(),
    user_id            uuid        NOT NULL,
    session_token_hash text,
    expires_at         timestamptz NOT NULL,
    refresh_token_hash text,
    device_info        jsonb       NOT NULL DEFAULT '{}',
    created_at         timestamptz NOT NULL DEFAULT now(),
    last_used          timestamptz,
    CONSTRAINT sessions_pkey PRIMARY KEY (id),
    CONSTRAINT sessions_session_token_hash_key UNIQUE (session_token_hash),
    CONSTRAINT sessions_refresh_token_hash_key UNIQUE (refresh_token_hash),
    CONSTRAINT sessions_user_id_fkey FOREIGN KEY (user_id)
        REFERENCES auth.users (id) ON DELETE CASCADE,
    CONSTRAINT sessions_session_token_hash_check CHECK (session_token_hash ~ '^[0-9a-f]{64}$'),
    CONSTRAINT sessions_refresh_token_hash_check CHECK (refresh_token_hash ~ '^[0-9a-f]{64}$'),
    CONSTRAINT sessions_token_check CHECK (num_nonnulls(session_token_hash, refresh_token_hash) > 0),
    CONSTRAINT sessions_expires_at_check CHECK (expires_at > created_at),
    CONSTRAINT sessions_device_info_check CHECK (jsonb_typeof(device_info) = 'object')
);

CREATE INDEX sessions_user_id_idx
    ON auth.sessions (user_id);

CREATE INDEX sessions_expires_at_idx
    ON auth.sessions (expires_at);

COMMENT ON TABLE auth.sessions IS 'Log-in sessions of users. A session has a cookie token, a refresh token or both; only their hashes are kept.';
COMMENT ON COLUMN auth.sessions.id IS 'Primary key.';
COMMENT ON COLUMN auth.sessions.user_id IS 'User who logged in.';
COMMENT ON COLUMN auth.sessions.session_token_hash IS 'SHA-256 of the cookie token, 64 hexadecimal digits.';
COMMENT ON COLUMN auth.sessions.expires_at IS 'When the session ends.';
COMMENT ON COLUMN auth.sessions.refresh_token_hash IS 'SHA-256 of the refresh token, 64 hexadecimal digits.';
COMMENT ON COLUMN auth.sessions.device_info IS 'Fingerprint of the device, a JSON object.';
COMMENT ON COLUMN auth.sessions.created_at IS 'When the session began.';
COMMENT ON COLUMN auth.sessions.last_used IS 'When the session was last used; NULL before its first use.';
