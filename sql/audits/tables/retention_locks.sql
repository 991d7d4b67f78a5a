CREATE TABLE audits.retention_locks (
    id           uuid        NOT NULL DEFAULT gen_random_uuid(),
    locked_until timestamptz NOT NULL,
    locked_by    text        NOT NULL DEFAULT session_user,
    created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT retention_locks_pkey PRIMARY KEY (id),
    CONSTRAINT retention_locks_locked_until_check CHECK (locked_until > created_at)
);

COMMENT ON TABLE audits.retention_locks IS 'Until when no archive of the ledger may be pruned; a new row can only lengthen it. The latest locked_until is in force.';
COMMENT ON COLUMN audits.retention_locks.id IS 'Primary key.';
COMMENT ON COLUMN audits.retention_locks.locked_until IS 'Until then audits.prune_archive() is refused.';
COMMENT ON COLUMN audits.retention_locks.locked_by IS 'Login that set it with audits.lock_retention().';
COMMENT ON COLUMN audits.retention_locks.created_at IS 'When it was set.';
