-- What each member may do with the rows of its organization, as the policies say it: a permission of tenants, or the
-- role that is trusted with it. Who has which permission is in tests/tenancy/permissions.sql.
BEGIN;
SELECT plan(7);

CREATE TEMP VIEW matrix AS
WITH policy AS (
    SELECT c.oid::regclass::text AS target,
           p.polcmd AS command,
           CASE p.polroles::regrole[]::text[]
               WHEN '{codeverify_tenant}' THEN coalesce(
                   substring(coalesce(pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid))
                             FROM '^tenancy\.has_permission\(''(\w+)''::text\)$'),
                   CASE pg_get_expr(p.polqual, p.polrelid)
                       WHEN '(org_id = tenancy.current_org_id())' THEN 'read'
                       WHEN '(tenancy.current_org_id() IS NOT NULL)' THEN 'read'
                       WHEN '(id = tenancy.current_user_id())' THEN 'self'
                   END,
                   'something else')
               ELSE replace(array_to_string(p.polroles::regrole[]::text[], ' '), 'codeverify_', '')
           END AS who,
           p.polcmd IN ('w', '*') AND pg_get_expr(p.polqual, p.polrelid) IS DISTINCT FROM pg_get_expr(p.polwithcheck, p.polrelid) AS uneven
    FROM pg_policy AS p
    JOIN pg_class AS c ON c.oid = p.polrelid
    JOIN pg_roles AS r ON r.oid = c.relowner
    WHERE r.rolname = 'codeverify_owner'
      AND p.polpermissive
)
SELECT target,
       coalesce(string_agg(who, ' ' ORDER BY who) FILTER (WHERE command IN ('r', '*')), '') AS selects,
       coalesce(string_agg(who, ' ' ORDER BY who) FILTER (WHERE command IN ('a', '*')), '') AS inserts,
       coalesce(string_agg(who, ' ' ORDER BY who) FILTER (WHERE command IN ('w', '*')), '') AS updates,
       coalesce(string_agg(who, ' ' ORDER BY who) FILTER (WHERE command IN ('d', '*')), '') AS deletes,
       bool_or(uneven) AS uneven
FROM policy
GROUP BY target;

CREATE TEMP TABLE expected (target text, selects text, inserts text, updates text, deletes text);
INSERT INTO expected
VALUES ('analysis.analyses', 'read', 'write', 'write', 'manage'),
           ('analysis.analysis_runs', 'read', 'write', 'service', 'write'),
           ('analysis.analysis_stages', 'read', 'write', 'write', 'manage'),
           ('analysis.codebase_scans', 'read', 'write', 'write', 'manage'),
           ('analysis.custom_rules', 'read', 'manage', 'manage', 'manage'),
           ('analysis.diff_summary_cache', 'read', 'service', 'service', 'service'),
           ('analysis.findings', 'read', 'write', 'write', 'manage'),
           ('analysis.jobs', 'read', 'service', 'service', 'write'),
           ('analysis.scan_schedules', 'read', 'manage', 'manage', 'manage'),
           ('analysis.trust_score_cache', 'read', 'service', 'service', 'service'),
           ('attestations.verification_attestations', 'read', 'service', 'service', 'service'),
           ('attestations.verification_badges', 'read', 'service', 'service', 'service'),
           ('audits.audit_log', 'read', 'service', '', ''),
           ('audits.checkpoint_lanes', 'read', '', '', ''),
           ('audits.checkpoints', 'admin auditor tenant', '', '', ''),
           ('codeverify.partition_sets', 'admin service auditor', '', '', ''),
           ('auth.api_key_rate_buckets', 'read', 'service', 'service', 'service'),
           ('auth.api_keys', 'read', '', '', ''),
           ('auth.audit_logs', 'manage', 'service', '', ''),
           ('auth.invitation_uses', 'manage', '', '', ''),
           ('auth.invitations', 'manage', '', '', ''),
           ('auth.users', 'self service', 'service', 'service', 'service'),
           ('codeverify.report_refreshes', 'admin service auditor', '', '', ''),
           ('codeverify.clean_up_settings', 'admin service auditor', '', '', ''),
           ('codeverify.maintenance_tasks', 'admin service auditor', '', '', ''),
           ('experiments_v1.blacklist', 'read', 'manage', 'manage', 'manage'),
           ('experiments_v1.comparison_reports', 'read', 'service', '', 'manage'),
           ('experiments_v1.evaluations', 'read', 'write', 'write', 'manage'),
           ('experiments_v1.experiments', 'read', 'write', 'write', 'manage'),
           ('experiments_v1.promotions', 'read', 'write', 'manage', 'manage'),
           ('integrations.inbound_deliveries', 'manage', 'service', 'service', 'service'),
           ('integrations.notification_configs', 'manage', 'manage', 'manage', 'manage'),
           ('integrations.webhook_deliveries', 'manage', 'service', 'service', 'service'),
           ('integrations.webhooks', 'manage', 'manage', 'manage', 'manage'),
           ('observability.alert_evaluations', 'read', '', '', ''),
           ('observability.alert_firings', 'read', 'service', 'service', 'service'),
           ('observability.alert_rules', 'read', 'manage', 'manage', 'manage'),
           ('observability.incident_events', 'read', '', '', ''),
           ('observability.incidents', 'read', 'write', 'write', 'manage'),
           ('observability.logs', 'read', 'ingest service', '', ''),
           ('observability.rejected_logs', 'manage', '', '', ''),
           ('production.analysis_sessions', 'read', 'write', 'write', 'write'),
           ('production.analysis_tasks', 'read', 'service', 'service', ''),
           ('production.artifacts', 'read', 'service', 'service', ''),
           ('production.code_review_results', 'read', 'service', '', ''),
           ('projects.baselines', 'read', 'manage', 'manage', 'manage'),
           ('projects.policies', 'read', 'manage', 'manage', 'manage'),
           ('projects.project_policies', 'read', 'manage', 'manage', 'manage'),
           ('projects.projects', 'read', 'write', 'write', 'manage'),
           ('projects.version_history', 'read', 'service', '', ''),
           ('projects.versions', 'read', 'write', 'write', 'manage'),
           ('providers.cost_alerts', 'read', 'service', 'read', ''),
           ('providers.provider_health', 'read', 'service', 'service', 'service'),
           ('providers.providers', 'read', 'service', 'service', 'service'),
           ('providers.usage_metrics', 'read', '', '', ''),
           ('providers.usage_tracking', 'read', 'service', 'service', ''),
           ('providers.user_providers', 'read', 'write', 'write', 'write'),
           ('providers.user_quotas', 'read', 'service', 'service', ''),
           ('quarantine.quarantine_records', 'read', 'manage', 'manage', ''),
           ('quarantine.reevaluation_requests', 'read', 'write', 'manage', ''),
           ('scm.installations', 'read', 'service', 'service', 'service'),
           ('scm.repositories', 'read', 'service', 'manage', 'service'),
           ('telemetry.code_attribution', 'read', 'service', 'service', 'service'),
           ('telemetry.code_events', 'read', 'ingest service', '', ''),
           ('telemetry.repo_metrics', 'read', 'service', 'service', 'service'),
           ('tenancy.environments', 'read', 'manage', 'manage', 'manage'),
           ('tenancy.org_memberships', 'read', 'service', 'manage', ''),
           ('tenancy.organizations', 'read', '', 'manage', ''),
           ('tenancy.services', 'read', 'manage', 'manage', 'manage');

SELECT is_empty(
    'SELECT target, selects, inserts, updates, deletes FROM matrix EXCEPT SELECT * FROM expected',
    'no policy allows what is not listed here');
SELECT is_empty(
    'SELECT * FROM expected EXCEPT SELECT target, selects, inserts, updates, deletes FROM matrix',
    'and what is listed is allowed');
SELECT is_empty(
    'SELECT target FROM matrix WHERE uneven',
    'an UPDATE asks of the new row what it asks of the old one');

-- Tables without any are reached through functions only.
SELECT set_eq(
    $$
        SELECT c.oid::regclass::text
        FROM pg_class AS c
        JOIN pg_roles AS r ON r.oid = c.relowner
        WHERE r.rolname = 'codeverify_owner'
          AND c.relkind IN ('r', 'p')
          AND NOT c.relispartition
          AND NOT EXISTS (SELECT FROM pg_policy AS p WHERE p.polrelid = c.oid AND p.polpermissive)
    $$,
    ARRAY[
        'audits.archive_segments',
        'audits.archives',
        'audits.column_rules',
        'audits.lanes',
        'audits.merkle_tiles',
        'audits.personal_fields',
        'audits.redaction_keys',
        'audits.retention_locks',
        'audits.subject_keys',
        'audits.verifications',
        'auth.email_verifications',
        'auth.jwt_keys',
        'codeverify.packed_segments',
        'auth.login_attempts',
        'auth.password_resets',
        'auth.recovery_codes',
        'auth.refresh_tokens',
        'auth.session_revocations',
        'auth.sessions',
        'codeverify.metric_changes',
        'codeverify.metric_refreshes',
        'integrations.inbound_secrets',
        'tenancy.deleted_organizations'
    ],
    'these tables have no policy that allows anything');
SELECT is_empty(
    $$
        SELECT p.polrelid::regclass, p.polname
        FROM pg_policy AS p
        JOIN pg_class AS c ON c.oid = p.polrelid
        JOIN pg_roles AS r ON r.oid = c.relowner
        WHERE r.rolname = 'codeverify_owner' AND c.relispartition AND p.polpermissive
    $$,
    'no partition has one: they are used through their parents');
SELECT is_empty(
    $$
        SELECT p.polrelid::regclass, p.polname
        FROM pg_policy AS p
        JOIN pg_class AS c ON c.oid = p.polrelid
        JOIN pg_roles AS r ON r.oid = c.relowner
        WHERE r.rolname = 'codeverify_owner' AND NOT p.polpermissive AND p.polroles <> '{0}'
    $$,
    'what restricts restricts everybody');
SELECT is_empty(
    $$
        SELECT p.polrelid::regclass, p.polname
        FROM pg_policy AS p
        JOIN pg_class AS c ON c.oid = p.polrelid
        JOIN pg_roles AS r ON r.oid = c.relowner
        WHERE r.rolname = 'codeverify_owner'
          AND concat(pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid)) LIKE '%SELECT%'
    $$,
    'no policy has a sub-select, so that Citus takes them');

SELECT * FROM finish();
ROLLBACK;
