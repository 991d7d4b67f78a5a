SELECT tenancy.isolate(t.target::regclass),
       tenancy.allow(t.target::regclass, t.selects, t.inserts, t.updates, t.deletes)
FROM (VALUES
    ('observability.logs',              'read',   'service', NULL,      NULL),
    ('observability.rejected_logs',     'manage', NULL,      NULL,      NULL),
    ('observability.alert_rules',       'read',   'manage',  'manage',  'manage'),
    ('observability.alert_evaluations', 'read',   NULL,      NULL,      NULL),
    ('observability.alert_firings',     'read',   'service', 'service', 'service'),
    ('observability.incidents',         'read',   'write',   'write',   'manage'),
    ('observability.incident_events',   'read',   NULL,      NULL,      NULL)
) AS t (target, selects, inserts, updates, deletes);

GRANT USAGE ON SEQUENCE observability.logs_id_seq TO codeverify_service;

-- Collectors write lines and read nothing.
CREATE POLICY logs_ingest ON observability.logs
    FOR INSERT
    TO codeverify_ingest
    WITH CHECK (tenancy.has_permission('write'));
COMMENT ON POLICY logs_ingest ON observability.logs IS 'Collectors add lines to the organization in context.';
-- Not id: a collector that took ids ahead could block another tenant's lines.
GRANT INSERT (org_id, service_id, environment_id, ts, level, message, meta_json) ON observability.logs TO codeverify_ingest;
GRANT USAGE ON SEQUENCE observability.logs_id_seq TO codeverify_ingest;
