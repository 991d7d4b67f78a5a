CREATE TABLE projects.version_history (
    id         uuid        NOT NULL DEFAULT gen_random_uuid(),
    version_id uuid        NOT NULL,
    changed_by uuid,
    action     text        NOT NULL,
    from_tag   text,
    to_tag     text,
    reason     text,
    created_at timestamptz NOT NULL DEFAULT now(),
    org_id     uuid        NOT NULL DEFAULT tenancy.current_org_id(),
    CONSTRAINT version_history_pkey PRIMARY KEY (id),
    CONSTRAINT version_history_org_id_version_id_fkey FOREIGN KEY (org_id, version_id)
        REFERENCES projects.versions (org_id, id) ON DELETE CASCADE,
    CONSTRAINT version_history_changed_by_fkey FOREIGN KEY (changed_by)
        REFERENCES auth.users (id) ON DELETE SET NULL,
    CONSTRAINT version_history_action_check CHECK (action IN ('promoted', 'degraded', 'updated')),
    CONSTRAINT version_history_from_tag_check CHECK (from_tag IN ('v1', 'v2', 'v3')),
    CONSTRAINT version_history_to_tag_check CHECK (to_tag IN ('v1', 'v2', 'v3'))
);

CREATE INDEX version_history_org_id_created_at_idx ON projects.version_history (org_id, created_at DESC);
CREATE INDEX version_history_version_id_idx ON projects.version_history (version_id);
CREATE INDEX version_history_changed_by_idx ON projects.version_history (changed_by);
CREATE INDEX version_history_action_idx ON projects.version_history (action);

COMMENT ON TABLE projects.version_history IS 'Every change of a version: append-only.';
COMMENT ON COLUMN projects.version_history.id IS 'Primary key.';
COMMENT ON COLUMN projects.version_history.version_id IS 'Version that was changed.';
COMMENT ON COLUMN projects.version_history.changed_by IS 'User who changed it; NULL when none did or the user was deleted.';
COMMENT ON COLUMN projects.version_history.action IS 'What was done: promoted, degraded or updated.';
COMMENT ON COLUMN projects.version_history.from_tag IS 'Tag before the change: v1, v2 or v3; NULL when the tag stayed.';
COMMENT ON COLUMN projects.version_history.to_tag IS 'Tag after the change: v1, v2 or v3; NULL when the tag stayed.';
COMMENT ON COLUMN projects.version_history.reason IS 'Why it was changed.';
COMMENT ON COLUMN projects.version_history.created_at IS 'When it was changed.';
COMMENT ON COLUMN projects.version_history.org_id IS 'Organization that owns the project.';
