SELECT tenancy.isolate(t.target::regclass),
       tenancy.allow(t.target::regclass, t.selects, t.inserts, t.updates, t.deletes)
FROM (VALUES
    ('projects.projects',         'read', 'write',   'write',  'manage'),
    ('projects.versions',         'read', 'write',   'write',  'manage'),
    ('projects.baselines',        'read', 'manage',  'manage', 'manage'),
    ('projects.policies',         'read', 'manage',  'manage', 'manage'),
    ('projects.project_policies', 'read', 'manage',  'manage', 'manage'),
    ('projects.version_history',  'read', 'service', NULL,     NULL)
) AS t (target, selects, inserts, updates, deletes);
