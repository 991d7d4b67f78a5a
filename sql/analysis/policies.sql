SELECT tenancy.isolate(t.target::regclass),
       tenancy.allow(t.target::regclass, t.selects, t.inserts, t.updates, t.deletes, t.owner_column)
FROM (VALUES
    ('analysis.analyses',           'read', 'write',   'write',   'manage',  NULL),
    ('analysis.analysis_stages',    'read', 'write',   'write',   'manage',  NULL),
    ('analysis.findings',           'read', 'write',   'write',   'manage',  NULL),
    ('analysis.custom_rules',       'read', 'manage',  'manage',  'manage',  NULL),
    ('analysis.codebase_scans',     'read', 'write',   'write',   'manage',  NULL),
    ('analysis.scan_schedules',     'read', 'manage',  'manage',  'manage',  NULL),
    ('analysis.trust_score_cache',  'read', 'service', 'service', 'service', NULL),
    ('analysis.diff_summary_cache', 'read', 'service', 'service', 'service', NULL),
    ('analysis.analysis_runs',      'read', 'write',   'service', 'write',   'user_id'),
    -- The queue gives job_id, which is unique over all tenants: a tenant that chose it could probe for others'.
    ('analysis.jobs',               'read', 'service', 'service', 'write',   'user_id')
) AS t (target, selects, inserts, updates, deletes, owner_column);
