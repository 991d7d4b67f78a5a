-- Empty until the first secret is redacted: a key that deployment made would stand beside one that is restored or
-- replicated, and no digest would match.
CREATE TABLE audits.redaction_keys (
    id         uuid        NOT NULL DEFAULT gen_random_uuid(),
    key        bytea       NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT redaction_keys_pkey PRIMARY KEY (id),
    CONSTRAINT redaction_keys_key_check CHECK (octet_length(key) = 32)
);

COMMENT ON TABLE audits.redaction_keys IS 'The key of the digests that stand for secrets in the ledger. The oldest is in use. Nobody but the owner reads it.';
COMMENT ON COLUMN audits.redaction_keys.id IS 'Primary key.';
COMMENT ON COLUMN audits.redaction_keys.key IS 'Key of HMAC-SHA-256, 32 random bytes. Not readable by tenants.';
COMMENT ON COLUMN audits.redaction_keys.created_at IS 'When the key was made.';
