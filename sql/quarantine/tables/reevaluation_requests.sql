CREATE TABLE quarantine.reevaluation_requests (
    id            uuid        NOT NULL DEFAULT gen_random_uuid(),
    quarantine_id uuid        NOT NULL,
    requested_by  uuid,
    reason        text,
    status        text        NOT NULL DEFAULT 'pending',
    approved_by   uuid,
    approved_at   timestamptz,
    completed_at  timestamptz,
    result        jsonb,
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now(),
    org_id        uuid        NOT NULL DEFAULT tenancy.current_org_id(),
    CONSTRAINT reevaluation_requests_pkey PRIMARY KEY (id),
    CONSTRAINT reevaluation_requests_org_id_quarantine_id_fkey FOREIGN KEY (org_id, quarantine_id)
        REFERENCES quarantine.quarantine_records (org_id, id) ON DELETE CASCADE,
    CONSTRAINT reevaluation_requests_requested_by_fkey FOREIGN KEY (requested_by)
        REFERENCES auth.users (id) ON DELETE SET NULL,
    CONSTRAINT reevaluation_requests_approved_by_fkey FOREIGN KEY (approved_by)
        REFERENCES auth.users (id) ON DELETE SET NULL,
    CONSTRAINT reevaluation_requests_status_check CHECK (
        status IN ('pending', 'approved', 'rejected', 'completed')),
    CONSTRAINT reevaluation_requests_result_check CHECK (jsonb_typeof(result) = 'object'),
    CONSTRAINT reevaluation_requests_approved_at_completed_at_check CHECK (completed_at >= approved_at)
);

CREATE INDEX reevaluation_requests_org_id_created_at_idx ON quarantine.reevaluation_requests (org_id, created_at DESC);
CREATE INDEX reevaluation_requests_quarantine_id_idx ON quarantine.reevaluation_requests (quarantine_id);
CREATE INDEX reevaluation_requests_status_idx ON quarantine.reevaluation_requests (status);
CREATE INDEX reevaluation_requests_requested_by_idx ON quarantine.reevaluation_requests (requested_by);
CREATE INDEX reevaluation_requests_approved_by_idx
    ON quarantine.reevaluation_requests (approved_by)
    WHERE approved_by IS NOT NULL;

COMMENT ON TABLE quarantine.reevaluation_requests IS 'Requests to try a quarantined configuration once more.';
COMMENT ON COLUMN quarantine.reevaluation_requests.id IS 'Primary key.';
COMMENT ON COLUMN quarantine.reevaluation_requests.quarantine_id IS 'Record of the configuration.';
COMMENT ON COLUMN quarantine.reevaluation_requests.requested_by IS 'User who asks; NULL when none did or the user was deleted.';
COMMENT ON COLUMN quarantine.reevaluation_requests.reason IS 'Why it should be tried again.';
COMMENT ON COLUMN quarantine.reevaluation_requests.status IS 'State: pending, approved, rejected or completed.';
COMMENT ON COLUMN quarantine.reevaluation_requests.approved_by IS 'User who decided; NULL when none has or the user was deleted.';
COMMENT ON COLUMN quarantine.reevaluation_requests.approved_at IS 'When it was decided; NULL before.';
COMMENT ON COLUMN quarantine.reevaluation_requests.completed_at IS 'When the new trial ended, not before approved_at; NULL until then.';
COMMENT ON COLUMN quarantine.reevaluation_requests.result IS 'What the new trial gave, a JSON object; NULL before it ended.';
COMMENT ON COLUMN quarantine.reevaluation_requests.created_at IS 'When the row was created.';
COMMENT ON COLUMN quarantine.reevaluation_requests.updated_at IS 'When the row was last changed; kept by a trigger.';
COMMENT ON COLUMN quarantine.reevaluation_requests.org_id IS 'Organization that owns the record.';
