SELECT tenancy.isolate(t.target::regclass),
       tenancy.allow(t.target::regclass, t.selects, t.inserts, t.updates, t.deletes)
FROM (VALUES
    ('experiments_v1.experiments',        'read', 'write',   'write',  'manage'),
    ('experiments_v1.evaluations',        'read', 'write',   'write',  'manage'),
    ('experiments_v1.promotions',         'read', 'write',   'manage', 'manage'),
    ('experiments_v1.blacklist',          'read', 'manage',  'manage', 'manage'),
    ('experiments_v1.comparison_reports', 'read', 'service', NULL,     'manage')
) AS t (target, selects, inserts, updates, deletes);

-- Who asks for a promotion does not decide on it.
REVOKE INSERT ON experiments_v1.promotions FROM codeverify_tenant;
GRANT INSERT (id, org_id, from_version_id, to_version_id, reason) ON experiments_v1.promotions TO codeverify_tenant;
