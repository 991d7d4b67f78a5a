-- Several keys of one subject do no harm: each ciphertext names its own. So the first two transactions that need a
-- key at the same time make one each, and neither waits or fails.
CREATE TABLE audits.subject_keys (
    id         uuid        NOT NULL DEFAULT gen_random_uuid(),
    subject_id uuid        NOT NULL,
    key        bytea,
    created_at timestamptz NOT NULL DEFAULT now(),
    erased_at  timestamptz,
    erased_by  text,
    CONSTRAINT subject_keys_pkey PRIMARY KEY (id),
    CONSTRAINT subject_keys_key_check CHECK (octet_length(key) = 32),
    CONSTRAINT subject_keys_erased_check
        CHECK ((key IS NULL) = (erased_at IS NOT NULL)
               AND (erased_at IS NULL) = (erased_by IS NULL))
)
-- An erased key is still in the dead version of its row, until that is vacuumed.
WITH (autovacuum_vacuum_threshold = 0, autovacuum_vacuum_scale_factor = 0);

ALTER TABLE audits.subject_keys
    ALTER COLUMN key SET STORAGE PLAIN;

CREATE INDEX subject_keys_subject_id_idx
    ON audits.subject_keys (subject_id);

COMMENT ON TABLE audits.subject_keys IS 'Keys under which personal fields of ledger entries are encrypted, by the person whom they concern. Only codeverify_owner may read them; keep them out of long-lived backups.';
COMMENT ON COLUMN audits.subject_keys.id IS 'Primary key, which ciphertexts name.';
COMMENT ON COLUMN audits.subject_keys.subject_id IS 'Person whom the fields concern, mostly a user; outlives them.';
COMMENT ON COLUMN audits.subject_keys.key IS 'Key of AES-256-GCM, 32 random bytes; NULL once it has been erased.';
COMMENT ON COLUMN audits.subject_keys.created_at IS 'When the key was first needed, or the subject readmitted.';
COMMENT ON COLUMN audits.subject_keys.erased_at IS 'When audits.erase_subject() erased it.';
COMMENT ON COLUMN audits.subject_keys.erased_by IS 'Login that erased it.';
