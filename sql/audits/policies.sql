SELECT tenancy.isolate(t.target::regclass),
       tenancy.allow(t.target::regclass, t.selects, t.inserts, t.updates, t.deletes)
FROM (VALUES
    ('audits.audit_log', 'read', 'service', NULL, NULL)
) AS t (target, selects, inserts, updates, deletes);

GRANT USAGE ON SEQUENCE audits.audit_log_id_seq TO codeverify_service;
