SELECT tenancy.isolate(t.target::regclass),
       tenancy.allow(t.target::regclass, t.selects, t.inserts, t.updates, t.deletes)
FROM (VALUES
    ('scm.installations', 'read', 'service', 'service', 'service'),
    ('scm.repositories',  'read', 'service', 'manage',  'service')
) AS t (target, selects, inserts, updates, deletes);

-- The rest of a repository is GitHub's to say.
REVOKE UPDATE ON scm.repositories FROM codeverify_tenant;
GRANT UPDATE (settings, enabled, default_branch) ON scm.repositories TO codeverify_tenant;
GRANT UPDATE ON scm.repositories TO codeverify_service;
