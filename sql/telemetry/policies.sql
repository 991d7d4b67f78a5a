SELECT tenancy.isolate(t.target::regclass),
       tenancy.allow(t.target::regclass, t.selects, t.inserts, t.updates, t.deletes)
FROM (VALUES
    ('telemetry.code_events',      'read', 'service', NULL,      NULL),
    ('telemetry.code_attribution', 'read', 'service', 'service', 'service'),
    ('telemetry.repo_metrics',     'read', 'service', 'service', 'service')
) AS t (target, selects, inserts, updates, deletes);

GRANT USAGE ON SEQUENCE telemetry.code_events_id_seq TO codeverify_service;

-- Collectors add events and read nothing.
CREATE POLICY code_events_ingest ON telemetry.code_events
    FOR INSERT
    TO codeverify_ingest
    WITH CHECK (tenancy.has_permission('write'));
COMMENT ON POLICY code_events_ingest ON telemetry.code_events IS 'Collectors add events to the organization in context.';
-- Not id: a collector that took ids ahead could block another tenant's events.
GRANT INSERT (org_id, repo_id, "timestamp", commit_sha, event_type, metadata) ON telemetry.code_events TO codeverify_ingest;
GRANT USAGE ON SEQUENCE telemetry.code_events_id_seq TO codeverify_ingest;

-- For functions only.
