-- The catalogue is the same for every organization.
SELECT tenancy.force_row_security(t.target::regclass),
       tenancy.allow(t.target::regclass, t.selects, t.inserts, t.updates, t.deletes)
FROM (VALUES
    ('providers.providers',       'read', 'service', 'service', 'service'),
    ('providers.provider_health', 'read', 'service', 'service', 'service')
) AS t (target, selects, inserts, updates, deletes);

SELECT tenancy.isolate(t.target::regclass),
       tenancy.allow(t.target::regclass, t.selects, t.inserts, t.updates, t.deletes, t.owner_column::name)
FROM (VALUES
    ('providers.user_providers', 'read', 'write',   'write',   'write', 'user_id'),
    ('providers.user_quotas',    'read', 'service', 'service', NULL,    'user_id'),
    ('providers.usage_tracking', 'read', 'service', 'service', NULL,    'user_id'),
    ('providers.usage_metrics',  'read', NULL,      NULL,      NULL,    'user_id'),
    ('providers.cost_alerts',    'read', 'service', 'read',    NULL,    'user_id')
) AS t (target, selects, inserts, updates, deletes, owner_column);

GRANT USAGE ON SEQUENCE providers.usage_tracking_id_seq TO codeverify_service;

-- Every column but encrypted_api_key and encrypted_dek.
REVOKE SELECT ON providers.user_providers FROM codeverify_tenant;
GRANT SELECT (
    id,
    user_id,
    provider_name,
    provider_type,
    model_name,
    key_last_4_chars,
    is_active,
    created_at,
    updated_at,
    org_id
) ON providers.user_providers TO codeverify_tenant;

-- A user acknowledges an alert; the rest of it is a fact.
REVOKE UPDATE ON providers.cost_alerts FROM codeverify_tenant;
GRANT UPDATE (acknowledged, acknowledged_at) ON providers.cost_alerts TO codeverify_tenant;

-- For functions only.
