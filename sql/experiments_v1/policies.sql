SELECT tenancy.isolate(t.target::regclass),
       tenancy.allow(t.target::regclass, t.selects, t.inserts, t.updates, t.deletes)
FROM (VALUES
    ('experiments_v1.experiments',        'read', 'write',   'write',  'manage'),
    ('experiments_v1.evaluations',        'read', 'write',   'write',  'manage'),
    ('experiments_v1.promotions',         'read', 'write',   'manage', 'manage'),
    ('experiments_v1.blacklist',          'read', 'manage',  'manage', 'manage'),
    ('experiments_v1.comparison_reports', 'read', 'service', NULL,     'manage')
) AS t (target, selects, inserts, updates, deletes);
