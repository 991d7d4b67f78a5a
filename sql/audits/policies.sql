SELECT tenancy.isolate(t.target::regclass),
       tenancy.allow(t.target::regclass, t.selects, t.inserts, t.updates, t.deletes)
FROM (VALUES
    ('audits.audit_log', 'read', 'service', NULL, NULL),
    ('audits.lanes',     NULL,   NULL,      NULL, NULL)
) AS t (target, selects, inserts, updates, deletes);

-- What the ledger sets itself comes from a restore only: by a login in codeverify_admin that passes row security.
REVOKE INSERT ON audits.audit_log FROM codeverify_service;
GRANT INSERT (event_id, org_id, entity, action, actor_id, resource_id, payload, ip_address, user_agent)
ON audits.audit_log
TO codeverify_service;
GRANT INSERT ON audits.audit_log TO codeverify_admin;

GRANT USAGE ON SEQUENCE audits.audit_log_id_seq TO codeverify_admin, codeverify_service;
