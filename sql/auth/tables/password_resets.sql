CREATE TABLE auth.password_resets (
    id         uuid        NOT NULL DEFAULT gen_random_uuid(),
    user_id    uuid        NOT NULL,
    email      text        NOT NULL,
    token_hash text        NOT NULL,
    expires_at timestamptz NOT NULL,
    used       boolean     NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT password_resets_pkey PRIMARY KEY (id),
    CONSTRAINT password_resets_token_hash_key UNIQUE (token_hash),
    CONSTRAINT password_resets_user_id_fkey FOREIGN KEY (user_id)
        REFERENCES auth.users (id) ON DELETE CASCADE,
    CONSTRAINT password_resets_email_check CHECK (length(email) BETWEEN 3 AND 320),
    CONSTRAINT password_resets_token_hash_check CHECK (token_hash ~ '^[0-9a-f]{64}$'),
    CONSTRAINT password_resets_expires_at_check CHECK (expires_at > created_at)
);

CREATE INDEX password_resets_user_id_idx
    ON auth.password_resets (user_id);

CREATE INDEX password_resets_expires_at_idx
    ON auth.password_resets (expires_at);

COMMENT ON TABLE auth.password_resets IS 'Requests to set a new password. Each token works once, until it expires; only its hash is kept.';
COMMENT ON COLUMN auth.password_resets.id IS 'Primary key.';
COMMENT ON COLUMN auth.password_resets.user_id IS 'User whose password is to be set.';
COMMENT ON COLUMN auth.password_resets.email IS 'Address that the token was sent to; while the user has another, the token does nothing.';
COMMENT ON COLUMN auth.password_resets.token_hash IS 'SHA-256 of the reset token, 64 hexadecimal digits.';
COMMENT ON COLUMN auth.password_resets.expires_at IS 'When the token stops working.';
COMMENT ON COLUMN auth.password_resets.used IS 'Whether the token has been used, or another one of the user.';
COMMENT ON COLUMN auth.password_resets.created_at IS 'When the reset was asked for.';
