SELECT tenancy.isolate(t.target::regclass),
       tenancy.allow(t.target::regclass, t.selects, t.inserts, t.updates, t.deletes)
FROM (VALUES
    ('audits.audit_log',        'read', 'service', NULL, NULL),
    ('audits.lanes',            NULL,   NULL,      NULL, NULL),
    ('audits.checkpoint_lanes', 'read', NULL,      NULL, NULL),
    ('audits.archive_segments', NULL,   NULL,      NULL, NULL)
) AS t (target, selects, inserts, updates, deletes);

-- What the ledger sets itself comes from a restore only: by a login in codeverify_admin that passes row security.
REVOKE INSERT ON audits.audit_log FROM codeverify_service;
GRANT INSERT (event_id, org_id, entity, action, actor_id, resource_id, payload, ip_address, user_agent)
ON audits.audit_log
TO codeverify_service;
GRANT INSERT ON audits.audit_log TO codeverify_admin;

GRANT USAGE ON SEQUENCE audits.audit_log_id_seq TO codeverify_service;
-- After a restore, numbers go on where they were.
GRANT USAGE, UPDATE ON SEQUENCE audits.audit_log_id_seq TO codeverify_admin;

-- Checkpoints are for everybody to keep; the rest is reached through functions only.
SELECT tenancy.force_row_security(t.target::regclass)
FROM (VALUES
    ('audits.checkpoints'),
    ('audits.merkle_tiles'),
    ('audits.verifications'),
    ('audits.archives'),
    ('audits.retention_locks'),
    ('audits.subject_keys'),
    ('audits.personal_fields'),
    ('audits.column_rules'),
    ('audits.redaction_keys')
) AS t (target);

CREATE POLICY checkpoints_select ON audits.checkpoints
FOR SELECT
TO codeverify_admin, codeverify_auditor, codeverify_tenant
USING (true);
COMMENT ON POLICY checkpoints_select ON audits.checkpoints IS 'Checkpoints are public: whoever keeps one can hold the ledger to it.';
GRANT SELECT ON audits.checkpoints TO codeverify_admin, codeverify_auditor, codeverify_tenant;
