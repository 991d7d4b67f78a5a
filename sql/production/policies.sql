SELECT tenancy.isolate(t.target::regclass),
       tenancy.allow(t.target::regclass, t.selects, t.inserts, t.updates, t.deletes, t.owner_column::name)
FROM (VALUES
    ('production.analysis_sessions',   'read', 'write',   'write',   'write', 'user_id'),
    ('production.analysis_tasks',      'read', 'service', 'service', NULL,    NULL),
    ('production.artifacts',           'read', 'service', 'service', NULL,    NULL),
    ('production.code_review_results', 'read', 'service', NULL,      NULL,    NULL)
) AS t (target, selects, inserts, updates, deletes, owner_column);
