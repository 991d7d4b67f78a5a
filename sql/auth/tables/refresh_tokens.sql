CREATE TABLE auth.refresh_tokens (
    token_hash    text        NOT NULL,
    session_id    uuid        NOT NULL,
    superseded_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT refresh_tokens_pkey PRIMARY KEY (token_hash),
    CONSTRAINT refresh_tokens_session_id_fkey FOREIGN KEY (session_id)
        REFERENCES auth.sessions (id) ON DELETE CASCADE,
    CONSTRAINT refresh_tokens_token_hash_check CHECK (token_hash ~ '^[0-9a-f]{64}$')
);

CREATE INDEX refresh_tokens_session_id_idx
    ON auth.refresh_tokens (session_id);

COMMENT ON TABLE auth.refresh_tokens IS 'Refresh tokens that were exchanged for others. Who presents one of them again has stolen it, or was stolen from: the session ends.';
COMMENT ON COLUMN auth.refresh_tokens.token_hash IS 'SHA-256 of the token, 64 hexadecimal digits.';
COMMENT ON COLUMN auth.refresh_tokens.session_id IS 'Session that the token belonged to.';
COMMENT ON COLUMN auth.refresh_tokens.superseded_at IS 'When it was exchanged.';
