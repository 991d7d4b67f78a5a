CREATE TABLE auth.login_attempts (
    subject_hash   text        NOT NULL,
    kind           text        NOT NULL,
    failures       integer     NOT NULL DEFAULT 0,
    last_failed_at timestamptz NOT NULL DEFAULT now(),
    locked_until   timestamptz,
    -- Not a foreign key: its check would wait for whoever is changing the user, who may be waiting for the count.
    user_id        uuid,
    CONSTRAINT login_attempts_pkey PRIMARY KEY (subject_hash),
    CONSTRAINT login_attempts_subject_hash_check CHECK (subject_hash ~ '^[0-9a-f]{64}$'),
    CONSTRAINT login_attempts_kind_check CHECK (kind IN ('account', 'ip_address')),
    CONSTRAINT login_attempts_failures_check CHECK (failures >= 0)
);

CREATE INDEX login_attempts_last_failed_at_idx
    ON auth.login_attempts (last_failed_at);

COMMENT ON TABLE auth.login_attempts IS 'Failed log-ins in a row by account, whether it exists or not, and by IP address. Kept outside the transactions that log in; a rollback forgets nothing.';
COMMENT ON COLUMN auth.login_attempts.subject_hash IS 'SHA-256 of the kind and the normalised address: mail address or IP address, 64 hexadecimal digits.';
COMMENT ON COLUMN auth.login_attempts.kind IS 'account or ip_address.';
COMMENT ON COLUMN auth.login_attempts.failures IS 'Attempts since the last success that failed or are under way.';
COMMENT ON COLUMN auth.login_attempts.last_failed_at IS 'When the last failure was.';
COMMENT ON COLUMN auth.login_attempts.locked_until IS 'No attempt is heard before this time; NULL when any is. 9999-01-01 for an account that takes a password reset.';
COMMENT ON COLUMN auth.login_attempts.user_id IS 'User whose account it is; NULL while there is none, and for IP addresses. What is known of an account that no user has is forgotten 30 days after the last failure.';
