SELECT tenancy.isolate(t.target::regclass),
       tenancy.allow(t.target::regclass, t.selects, t.inserts, t.updates, t.deletes)
FROM (VALUES
    ('quarantine.quarantine_records',    'read', 'manage', 'manage', NULL),
    ('quarantine.reevaluation_requests', 'read', 'write',  'manage', NULL)
) AS t (target, selects, inserts, updates, deletes);

-- The archive is read-only but for the review.
REVOKE UPDATE ON quarantine.quarantine_records FROM codeverify_tenant;
GRANT UPDATE (
    review_status,
    reviewed_at,
    reviewed_by,
    review_notes
) ON quarantine.quarantine_records TO codeverify_tenant;

-- Who asks for a re-evaluation does not decide on it.
REVOKE INSERT ON quarantine.reevaluation_requests FROM codeverify_tenant;
GRANT INSERT (id, org_id, quarantine_id, requested_by, reason) ON quarantine.reevaluation_requests TO codeverify_tenant;
