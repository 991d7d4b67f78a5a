-- Who may do what with which table and view. Row security decides about rows; what is not listed here nobody may do.
BEGIN;
SELECT plan(11);

CREATE TEMP VIEW deployed AS
SELECT c.*
FROM pg_class AS c
JOIN pg_roles AS r ON r.oid = c.relowner
WHERE r.rolname = 'codeverify_owner';

-- What is granted on some columns only is marked so; tests/auth/columns.sql says which.
CREATE TEMP VIEW granted AS
SELECT c.oid::regclass::text AS relation,
       g.grantee::regrole::text AS role,
       string_agg(g.privilege, ' ' ORDER BY g.privilege) AS privileges
FROM deployed AS c
CROSS JOIN LATERAL (
    SELECT a.grantee, lower(a.privilege_type) AS privilege
    FROM aclexplode(c.relacl) AS a
    UNION
    SELECT a.grantee, lower(a.privilege_type) || '(some)'
    FROM pg_attribute AS t
    CROSS JOIN aclexplode(t.attacl) AS a
    WHERE t.attrelid = c.oid
) AS g
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
  AND g.grantee <> c.relowner
GROUP BY c.oid, g.grantee;

CREATE TEMP TABLE allowed (relation text, role text, privileges text);
INSERT INTO allowed
VALUES ('analysis.analyses', 'codeverify_tenant', 'delete insert select update'),
           ('analysis.analysis_runs', 'codeverify_service', 'update'),
           ('analysis.analysis_runs', 'codeverify_tenant', 'delete insert select'),
           ('analysis.analysis_stages', 'codeverify_tenant', 'delete insert select update'),
           ('analysis.codebase_scans', 'codeverify_tenant', 'delete insert select update'),
           ('analysis.custom_rules', 'codeverify_tenant', 'delete insert select update'),
           ('analysis.diff_summary_cache', 'codeverify_service', 'delete insert update'),
           ('analysis.diff_summary_cache', 'codeverify_tenant', 'select'),
           ('analysis.analyses_by_week', 'codeverify_tenant', 'select'),
           ('analysis.findings_by_week', 'codeverify_tenant', 'select'),
           ('analysis.finding_summary', 'codeverify_tenant', 'select'),
           ('analysis.findings', 'codeverify_tenant', 'delete insert select update'),
           ('analysis.jobs', 'codeverify_service', 'insert update'),
           ('analysis.jobs', 'codeverify_tenant', 'delete select'),
           ('analysis.repository_dashboard', 'codeverify_tenant', 'select'),
           ('analysis.scan_schedules', 'codeverify_tenant', 'delete insert select update'),
           ('analysis.trust_score_cache', 'codeverify_service', 'delete insert update'),
           ('analysis.trust_score_cache', 'codeverify_tenant', 'select'),
           ('attestations.verification_attestations', 'codeverify_service', 'delete insert update'),
           ('attestations.verification_attestations', 'codeverify_tenant', 'select'),
           ('attestations.verification_badges', 'codeverify_service', 'delete insert update'),
           ('attestations.verification_badges', 'codeverify_tenant', 'select'),
           ('audits.audit_log', 'codeverify_admin', 'insert'),
           ('audits.audit_log', 'codeverify_service', 'insert(some)'),
           ('audits.audit_log', 'codeverify_tenant', 'select'),
           ('audits.checkpoint_lanes', 'codeverify_tenant', 'select'),
           ('audits.checkpoints', 'codeverify_admin', 'select'),
           ('audits.checkpoints', 'codeverify_auditor', 'select'),
           ('audits.checkpoints', 'codeverify_tenant', 'select'),
           ('audits.entries', 'codeverify_tenant', 'select'),
           ('audits.size_report', 'codeverify_admin', 'select'),
           ('audits.size_report', 'codeverify_auditor', 'select'),
           ('audits.size_report', 'codeverify_service', 'select'),
           ('audits.statistics', 'codeverify_tenant', 'select'),
           ('audits.tracked_tables', 'codeverify_admin', 'select'),
           ('audits.tracked_tables', 'codeverify_auditor', 'select'),
           ('auth.api_key_rate_buckets', 'codeverify_service', 'delete insert update'),
           ('auth.api_key_rate_buckets', 'codeverify_tenant', 'select'),
           ('auth.api_keys', 'codeverify_tenant', 'select(some)'),
           ('auth.audit_logs', 'codeverify_service', 'insert'),
           ('auth.audit_logs', 'codeverify_tenant', 'select'),
           ('auth.invitation_uses', 'codeverify_tenant', 'select'),
           ('auth.invitations', 'codeverify_tenant', 'select(some)'),
           ('codeverify.report_refreshes', 'codeverify_admin', 'select'),
           ('codeverify.report_refreshes', 'codeverify_auditor', 'select'),
           ('codeverify.report_refreshes', 'codeverify_service', 'select'),
           ('codeverify.clean_up_settings', 'codeverify_admin', 'select'),
           ('codeverify.clean_up_settings', 'codeverify_auditor', 'select'),
           ('codeverify.clean_up_settings', 'codeverify_service', 'select'),
           ('codeverify.maintenance_status', 'codeverify_admin', 'select'),
           ('codeverify.maintenance_status', 'codeverify_auditor', 'select'),
           ('codeverify.maintenance_status', 'codeverify_service', 'select'),
           ('codeverify.maintenance_tasks', 'codeverify_admin', 'select'),
           ('codeverify.maintenance_tasks', 'codeverify_auditor', 'select'),
           ('codeverify.maintenance_tasks', 'codeverify_service', 'select'),
           ('codeverify.deployment', 'codeverify_admin', 'select'),
           ('codeverify.deployment', 'codeverify_auditor', 'select'),
           ('codeverify.deployment', 'codeverify_service', 'select'),
           ('codeverify.index_usage', 'codeverify_admin', 'select'),
           ('codeverify.index_usage', 'codeverify_auditor', 'select'),
           ('codeverify.missing_foreign_key_indexes', 'codeverify_admin', 'select'),
           ('codeverify.missing_foreign_key_indexes', 'codeverify_auditor', 'select'),
           ('codeverify.queue_age', 'codeverify_admin', 'select'),
           ('codeverify.queue_age', 'codeverify_auditor', 'select'),
           ('codeverify.schema_sizes', 'codeverify_admin', 'select'),
           ('codeverify.schema_sizes', 'codeverify_auditor', 'select'),
           ('codeverify.slow_sets', 'codeverify_admin', 'select'),
           ('codeverify.slow_sets', 'codeverify_auditor', 'select'),
           ('codeverify.partition_sets', 'codeverify_admin', 'select'),
           ('codeverify.partition_sets', 'codeverify_auditor', 'select'),
           ('codeverify.partition_sets', 'codeverify_service', 'select'),
           ('codeverify.progress', 'codeverify_admin', 'select'),
           ('codeverify.progress', 'codeverify_auditor', 'select'),
           ('codeverify.progress', 'codeverify_service', 'select'),
           ('auth.users', 'codeverify_service', 'insert(some) select(some) update(some)'),
           ('auth.users', 'codeverify_tenant', 'select(some)'),
           ('experiments_v1.blacklist', 'codeverify_tenant', 'delete insert select update'),
           ('experiments_v1.comparison_reports', 'codeverify_service', 'insert'),
           ('experiments_v1.comparison_reports', 'codeverify_tenant', 'delete select'),
           ('experiments_v1.evaluations', 'codeverify_tenant', 'delete insert select update'),
           ('experiments_v1.experiments', 'codeverify_tenant', 'delete insert select update'),
           ('experiments_v1.promotions', 'codeverify_tenant', 'delete insert(some) select update'),
           ('integrations.inbound_deliveries', 'codeverify_service', 'delete insert update'),
           ('integrations.inbound_deliveries', 'codeverify_tenant', 'select'),
           ('integrations.notification_configs', 'codeverify_tenant', 'delete insert select update'),
           ('integrations.webhook_deliveries', 'codeverify_service', 'delete insert update'),
           ('integrations.webhook_deliveries', 'codeverify_tenant', 'select'),
           ('integrations.webhooks', 'codeverify_service', 'select update'),
           ('integrations.webhooks', 'codeverify_tenant', 'delete insert select(some) update(some)'),
           ('observability.alert_evaluations', 'codeverify_tenant', 'select'),
           ('observability.alert_firings', 'codeverify_service', 'delete insert update'),
           ('observability.alert_firings', 'codeverify_tenant', 'select'),
           ('observability.alert_rules', 'codeverify_tenant', 'delete insert select update'),
           ('observability.incident_events', 'codeverify_tenant', 'select'),
           ('observability.incident_progress', 'codeverify_tenant', 'select'),
           ('observability.incidents_by_month', 'codeverify_tenant', 'select'),
           ('observability.incidents', 'codeverify_tenant', 'delete insert select update'),
           ('observability.log_intake', 'codeverify_ingest', 'insert'),
           ('observability.log_intake', 'codeverify_service', 'insert'),
           ('observability.logs', 'codeverify_ingest', 'insert(some)'),
           ('observability.logs', 'codeverify_service', 'insert'),
           ('observability.logs', 'codeverify_tenant', 'select'),
           ('observability.rejected_logs', 'codeverify_tenant', 'select'),
           ('observability.open_alerts', 'codeverify_tenant', 'select'),
           ('production.analysis_sessions', 'codeverify_tenant', 'delete insert select update'),
           ('production.analysis_tasks', 'codeverify_service', 'insert update'),
           ('production.analysis_tasks', 'codeverify_tenant', 'select'),
           ('production.artifacts', 'codeverify_service', 'insert update'),
           ('production.artifacts', 'codeverify_tenant', 'select'),
           ('production.code_review_results', 'codeverify_service', 'insert'),
           ('production.code_review_results', 'codeverify_tenant', 'select'),
           ('projects.baselines', 'codeverify_tenant', 'delete insert select update'),
           ('projects.policies', 'codeverify_tenant', 'delete insert select update'),
           ('projects.project_policies', 'codeverify_tenant', 'delete insert select update'),
           ('projects.projects', 'codeverify_tenant', 'delete insert select update'),
           ('projects.version_history', 'codeverify_service', 'insert'),
           ('projects.version_history', 'codeverify_tenant', 'select'),
           ('projects.versions', 'codeverify_tenant', 'delete insert select update'),
           ('providers.cost_alerts', 'codeverify_service', 'insert'),
           ('providers.cost_alerts', 'codeverify_tenant', 'select update(some)'),
           ('providers.provider_health', 'codeverify_service', 'delete insert update'),
           ('providers.provider_health', 'codeverify_tenant', 'select'),
           ('providers.providers', 'codeverify_service', 'delete insert update'),
           ('providers.providers', 'codeverify_tenant', 'select'),
           ('providers.usage_metrics', 'codeverify_tenant', 'select'),
           ('providers.usage_tracking', 'codeverify_service', 'insert update'),
           ('providers.usage_tracking', 'codeverify_tenant', 'select'),
           ('providers.user_providers', 'codeverify_tenant', 'delete insert select(some) update'),
           ('providers.user_quotas', 'codeverify_service', 'insert update'),
           ('providers.user_quotas', 'codeverify_tenant', 'select'),
           ('quarantine.quarantine_records', 'codeverify_tenant', 'insert select update(some)'),
           ('quarantine.reevaluation_requests', 'codeverify_tenant', 'insert(some) select update'),
           ('scm.github_installations', 'codeverify_tenant', 'select'),
           ('scm.installations', 'codeverify_service', 'delete insert update'),
           ('scm.installations', 'codeverify_tenant', 'select'),
           ('scm.repositories', 'codeverify_service', 'delete insert update'),
           ('scm.repositories', 'codeverify_tenant', 'select update(some)'),
           ('telemetry.ai_share', 'codeverify_tenant', 'select'),
           ('telemetry.events_by_week', 'codeverify_tenant', 'select'),
           ('telemetry.code_attribution', 'codeverify_service', 'delete insert update'),
           ('telemetry.code_attribution', 'codeverify_tenant', 'select'),
           ('telemetry.code_events', 'codeverify_ingest', 'insert(some)'),
           ('telemetry.code_events', 'codeverify_service', 'insert'),
           ('telemetry.code_events', 'codeverify_tenant', 'select'),
           ('telemetry.repo_metrics', 'codeverify_service', 'delete insert update'),
           ('telemetry.repo_metrics', 'codeverify_tenant', 'select'),
           ('tenancy.coverage', 'codeverify_admin', 'select'),
           ('tenancy.coverage', 'codeverify_auditor', 'select'),
           ('tenancy.coverage', 'codeverify_service', 'select'),
           ('tenancy.environments', 'codeverify_tenant', 'delete insert select update'),
           ('tenancy.org_memberships', 'codeverify_service', 'insert'),
           ('tenancy.org_memberships', 'codeverify_tenant', 'select update(some)'),
           ('tenancy.organization_members', 'codeverify_tenant', 'select'),
           ('tenancy.organizations', 'codeverify_tenant', 'select update(some)'),
           ('tenancy.permissions', 'codeverify_admin', 'select'),
           ('tenancy.permissions', 'codeverify_auditor', 'select'),
           ('tenancy.permissions', 'codeverify_service', 'select'),
           ('tenancy.permissions', 'codeverify_tenant', 'select'),
           ('tenancy.role_bindings', 'codeverify_admin', 'select'),
           ('tenancy.role_bindings', 'codeverify_auditor', 'select'),
           ('tenancy.role_bindings', 'codeverify_service', 'select'),
           ('tenancy.services', 'codeverify_tenant', 'delete insert select update');

SELECT is_empty('SELECT * FROM granted EXCEPT SELECT * FROM allowed', 'nothing is granted that is not listed here');
SELECT is_empty('SELECT * FROM allowed EXCEPT SELECT * FROM granted', 'and all that is listed is granted');
SELECT is_empty(
    $$
        SELECT c.oid::regclass, a.grantee::regrole, a.privilege_type
        FROM deployed AS c
        CROSS JOIN aclexplode(c.relacl) AS a
        WHERE a.grantee <> c.relowner AND a.privilege_type IN ('TRUNCATE', 'REFERENCES', 'TRIGGER')
    $$,
    'TRUNCATE, REFERENCES and TRIGGER are nobody''s');
SELECT is_empty(
    $$SELECT c.oid::regclass FROM deployed AS c CROSS JOIN aclexplode(c.relacl) AS a WHERE a.grantee = 0$$,
    'PUBLIC has nothing');
SELECT is_empty(
    $$
        SELECT c.oid::regclass
        FROM deployed AS c
        CROSS JOIN aclexplode(c.relacl) AS a
        WHERE c.relispartition AND a.grantee <> c.relowner
    $$,
    'partitions are used through their parents only');
SELECT set_eq(
    $$
        SELECT c.oid::regclass::text, a.grantee::regrole::text, a.privilege_type
        FROM deployed AS c
        CROSS JOIN aclexplode(c.relacl) AS a
        WHERE c.relkind = 'S' AND a.grantee <> c.relowner
    $$,
    $$
        VALUES ('audits.audit_log_id_seq', 'codeverify_admin', 'UPDATE'),
               ('audits.audit_log_id_seq', 'codeverify_admin', 'USAGE'),
               ('audits.audit_log_id_seq', 'codeverify_service', 'USAGE'),
               ('observability.logs_id_seq', 'codeverify_service', 'USAGE'),
               ('observability.logs_id_seq', 'codeverify_ingest', 'USAGE'),
               ('providers.usage_tracking_id_seq', 'codeverify_service', 'USAGE'),
               ('telemetry.code_events_id_seq', 'codeverify_service', 'USAGE'),
               ('telemetry.code_events_id_seq', 'codeverify_ingest', 'USAGE')
    $$,
    'sequences are for those who write machine-made rows, never for tenants');
SELECT is_empty(
    $$
        SELECT n.nspname, a.grantee, a.privilege_type
        FROM pg_namespace AS n
        CROSS JOIN aclexplode(n.nspacl) AS a
        WHERE n.nspowner = 'codeverify_owner'::regrole
          AND a.grantee <> n.nspowner
          AND (a.grantee = 0 OR a.privilege_type <> 'USAGE' OR a.is_grantable)
    $$,
    'schemas can be used by the group roles, and nothing be made in them');
SELECT is_empty(
    $$SELECT d.oid FROM pg_default_acl AS d WHERE d.defaclrole = 'codeverify_owner'::regrole$$,
    'nothing is granted on what will be made later');

-- The roles themselves.
SELECT set_eq(
    $$
        SELECT r.rolname::text, r.rolcanlogin, r.rolsuper, r.rolbypassrls, r.rolcreaterole OR r.rolcreatedb OR r.rolreplication
        FROM pg_roles AS r
        WHERE r.rolname LIKE 'codeverify\_%'
        ORDER BY r.rolname
    $$,
    $$
        VALUES ('codeverify_admin',   false, false, false, false),
               ('codeverify_auditor', false, false, false, false),
               ('codeverify_ingest',  false, false, false, false),
               ('codeverify_owner',   false, false, true,  false),
               ('codeverify_service', false, false, false, false),
               ('codeverify_tenant',  false, false, false, false)
    $$,
    'no group role logs in, and none but the owner passes row security');
SELECT set_eq(
    $$
        SELECT m.roleid::regrole::text, m.member::regrole::text
        FROM pg_auth_members AS m
        WHERE m.member IN (SELECT r.oid FROM pg_roles AS r WHERE r.rolname LIKE 'codeverify\_%')
    $$,
    $$VALUES ('codeverify_tenant', 'codeverify_service')$$,
    'the service is a tenant among other things; nothing else is a member of anything');
SELECT is_empty(
    $$SELECT m.member::regrole FROM pg_auth_members AS m WHERE m.roleid = 'codeverify_owner'::regrole$$,
    'nobody is a member of the owner');

SELECT * FROM finish();
ROLLBACK;
