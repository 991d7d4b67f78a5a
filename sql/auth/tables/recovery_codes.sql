CREATE TABLE auth.recovery_codes (
    user_id    uuid        NOT NULL,
    code_hash  text        NOT NULL,
    used_at    timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT recovery_codes_pkey PRIMARY KEY (user_id, code_hash),
    CONSTRAINT recovery_codes_user_id_fkey FOREIGN KEY (user_id)
        REFERENCES auth.users (id) ON DELETE CASCADE,
    CONSTRAINT recovery_codes_code_hash_check CHECK (code_hash ~ '^[0-9a-f]{64}$')
);

COMMENT ON TABLE auth.recovery_codes IS 'Codes that stand in, once each, for a lost second factor. Only hashes are kept.';
COMMENT ON COLUMN auth.recovery_codes.user_id IS 'User whose code it is.';
COMMENT ON COLUMN auth.recovery_codes.code_hash IS 'SHA-256 of the code, 64 hexadecimal digits.';
COMMENT ON COLUMN auth.recovery_codes.used_at IS 'When it was used; NULL while it can be.';
COMMENT ON COLUMN auth.recovery_codes.created_at IS 'When it was made.';
