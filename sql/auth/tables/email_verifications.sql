CREATE TABLE auth.email_verifications (
    id         uuid        NOT NULL DEFAULT gen_random_uuid(),
    user_id    uuid        NOT NULL,
    email      text        NOT NULL,
    token_hash text        NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at    timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT email_verifications_pkey PRIMARY KEY (id),
    CONSTRAINT email_verifications_token_hash_key UNIQUE (token_hash),
    CONSTRAINT email_verifications_user_id_fkey FOREIGN KEY (user_id)
        REFERENCES auth.users (id) ON DELETE CASCADE,
    CONSTRAINT email_verifications_email_check CHECK (length(email) BETWEEN 3 AND 320),
    CONSTRAINT email_verifications_token_hash_check CHECK (token_hash ~ '^[0-9a-f]{64}$'),
    CONSTRAINT email_verifications_expires_at_check CHECK (expires_at > created_at)
);

CREATE INDEX email_verifications_user_id_idx
    ON auth.email_verifications (user_id);

CREATE INDEX email_verifications_expires_at_idx
    ON auth.email_verifications (expires_at);

COMMENT ON TABLE auth.email_verifications IS 'Tokens that were sent to addresses, so that whoever returns one has shown that they read the mail there. Only hashes are kept.';
COMMENT ON COLUMN auth.email_verifications.id IS 'Primary key.';
COMMENT ON COLUMN auth.email_verifications.user_id IS 'User whose address it is to be.';
COMMENT ON COLUMN auth.email_verifications.email IS 'Address that the token was sent to; one that was changed since is not verified by it.';
COMMENT ON COLUMN auth.email_verifications.token_hash IS 'SHA-256 of the token, 64 hexadecimal digits.';
COMMENT ON COLUMN auth.email_verifications.expires_at IS 'When the token stops working.';
COMMENT ON COLUMN auth.email_verifications.used_at IS 'When it was returned; NULL while it was not.';
COMMENT ON COLUMN auth.email_verifications.created_at IS 'When it was made.';
