-- Apart from auth.sessions, and without a foreign key or unique key that would take a lock there: whoever has stolen a
-- session could hold a lock on its row, and its revocation must not wait for that.
CREATE TABLE auth.session_revocations (
    id         uuid        NOT NULL DEFAULT gen_random_uuid(),
    session_id uuid        NOT NULL,
    reason     text        NOT NULL,
    revoked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT session_revocations_pkey PRIMARY KEY (id),
    CONSTRAINT session_revocations_reason_check CHECK (reason IN ('logout', 'revoked', 'reuse', 'password_changed', 'password_reset'))
);

CREATE INDEX session_revocations_session_id_idx
    ON auth.session_revocations (session_id);

CREATE INDEX session_revocations_revoked_at_idx
    ON auth.session_revocations (revoked_at);

COMMENT ON TABLE auth.session_revocations IS 'Sessions that were ended before their time. A session may be here twice, if it was ended twice at once.';
COMMENT ON COLUMN auth.session_revocations.id IS 'Primary key.';
COMMENT ON COLUMN auth.session_revocations.session_id IS 'Session that was ended. No foreign key, so that ending a session waits for nobody who uses it; auth.delete_expired_sessions() removes what is left of deleted ones.';
COMMENT ON COLUMN auth.session_revocations.reason IS 'Why: logout, revoked, reuse (of a refresh token: theft), password_changed or password_reset.';
COMMENT ON COLUMN auth.session_revocations.revoked_at IS 'When.';
