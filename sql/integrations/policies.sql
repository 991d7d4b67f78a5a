-- URLs of webhooks and channels often carry a credential, and payloads what viewers need not see.
SELECT tenancy.isolate(t.target::regclass),
       tenancy.allow(t.target::regclass, t.selects, t.inserts, t.updates, t.deletes)
FROM (VALUES
    ('integrations.webhooks',             'manage', 'manage',  'manage',  'manage'),
    ('integrations.webhook_deliveries',   'manage', 'service', 'service', 'service'),
    ('integrations.notification_configs', 'manage', 'manage',  'manage',  'manage'),
    ('integrations.inbound_deliveries',   'manage', 'service', 'service', 'service')
) AS t (target, selects, inserts, updates, deletes);

-- Reached through functions only.
SELECT tenancy.isolate('integrations.inbound_secrets');

-- Every column but secret_hash to read; the counters are the delivering service's to write.
REVOKE SELECT, UPDATE ON integrations.webhooks FROM codeverify_tenant;
GRANT SELECT (
    id,
    org_id,
    url,
    events,
    active,
    last_triggered_at,
    failure_count,
    created_by,
    created_at,
    updated_at
) ON integrations.webhooks TO codeverify_tenant;
GRANT UPDATE (url, secret_hash, events, active) ON integrations.webhooks TO codeverify_tenant;
GRANT SELECT, UPDATE ON integrations.webhooks TO codeverify_service;
