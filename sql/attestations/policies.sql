SELECT tenancy.isolate(t.target::regclass),
       tenancy.allow(t.target::regclass, t.selects, t.inserts, t.updates, t.deletes)
FROM (VALUES
    ('attestations.verification_attestations', 'read', 'service', 'service', 'service'),
    ('attestations.verification_badges',       'read', 'service', 'service', 'service')
) AS t (target, selects, inserts, updates, deletes);
