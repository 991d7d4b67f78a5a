-- The extension's own tables whose changes are recorded out of the box: identity, who may do what, policies, rules,
-- providers, quarantine, promotions. What comes in volume (findings, logs, events, usage) has records of its own.
SELECT audits.track(t.target::regclass)
FROM (VALUES
    ('tenancy.organizations'),
    ('tenancy.org_memberships'),
    ('tenancy.services'),
    ('tenancy.environments'),
    ('auth.users'),
    ('auth.invitations'),
    ('auth.api_keys'),
    ('auth.jwt_keys'),
    ('scm.installations'),
    ('scm.repositories'),
    ('analysis.custom_rules'),
    ('analysis.scan_schedules'),
    ('integrations.webhooks'),
    ('integrations.inbound_secrets'),
    ('integrations.notification_configs'),
    ('observability.alert_rules'),
    ('observability.incidents'),
    ('projects.projects'),
    ('projects.policies'),
    ('projects.project_policies'),
    ('experiments_v1.promotions'),
    ('experiments_v1.blacklist'),
    ('quarantine.quarantine_records'),
    ('quarantine.reevaluation_requests'),
    ('providers.providers'),
    ('providers.user_providers'),
    ('providers.user_quotas'),
    ('providers.cost_alerts'),
    ('audits.column_rules')
) AS t (target);

-- Also while changes are replicated: what a session has read of these must not outlive them.
CREATE TRIGGER column_rules_refresh_capture
AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON audits.column_rules
FOR EACH STATEMENT
EXECUTE FUNCTION audits.refresh_capture();
ALTER TABLE audits.column_rules ENABLE ALWAYS TRIGGER column_rules_refresh_capture;
COMMENT ON TRIGGER column_rules_refresh_capture ON audits.column_rules IS 'Makes every session read the rules anew.';

CREATE TRIGGER redaction_keys_refresh_capture
AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON audits.redaction_keys
FOR EACH STATEMENT
EXECUTE FUNCTION audits.refresh_capture();
ALTER TABLE audits.redaction_keys ENABLE ALWAYS TRIGGER redaction_keys_refresh_capture;
COMMENT ON TRIGGER redaction_keys_refresh_capture ON audits.redaction_keys IS 'Makes every session read the key anew.';
