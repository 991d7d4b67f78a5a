-- What deploy() makes is the user's: owned by codeverify_owner and no member of the extension, whose members are
-- its functions and the event triggers. An object that is not listed fails here.
BEGIN;
SELECT plan(19);

CREATE TEMP VIEW member AS
SELECT d.classid, d.objid, d.objsubid
FROM pg_depend AS d
JOIN pg_extension AS e ON e.oid = d.refobjid AND d.refclassid = 'pg_extension'::regclass
WHERE d.deptype = 'e'
  AND e.extname = 'codeverify';

SELECT is_empty(
    $$
        SELECT pg_describe_object(m.classid, m.objid, m.objsubid)
        FROM member AS m
        WHERE m.classid NOT IN ('pg_proc'::regclass, 'pg_event_trigger'::regclass)
    $$,
    'the members of the extension are functions and event triggers');
SELECT set_eq(
    $$
        SELECT t.evtname::text, t.evtowner::regrole::text = (SELECT rolname FROM pg_roles WHERE oid = 10)
        FROM member AS m
        JOIN pg_event_trigger AS t ON t.oid = m.objid AND m.classid = 'pg_event_trigger'::regclass
    $$,
    $$
        VALUES ('codeverify_guard_definitions_drop', true),
               ('codeverify_guard_definitions_end', true),
               ('codeverify_guard_definitions_start', true),
               ('codeverify_warn_of_unprotected_tables', true)
    $$,
    'there are four event triggers');

SELECT set_eq(
    $$
        SELECT c.oid::regclass::text
        FROM pg_class AS c
        JOIN pg_namespace AS n ON n.oid = c.relnamespace
        WHERE n.nspowner = 'codeverify_owner'::regrole
          AND c.relkind NOT IN ('i', 'I', 't', 'S', 'c')
          AND NOT c.relispartition
    $$,
    ARRAY[
    'codeverify.clean_up_settings',
    'codeverify.deployment',
    'codeverify.maintenance_status',
    'codeverify.maintenance_tasks',
    'tenancy.deleted_organizations',
    'codeverify.progress',
    'codeverify.partition_sets',
    'codeverify.index_usage',
    'codeverify.missing_foreign_key_indexes',
    'codeverify.queue_age',
    'codeverify.schema_sizes',
    'codeverify.slow_sets',
    'codeverify.metric_changes',
    'codeverify.metric_refreshes',
    'codeverify.report_refreshes',
    'codeverify.packed_segments',
    'analysis.analyses',
    'analysis.analyses_by_week',
    'analysis.findings_by_week',
    'analysis.stored_analyses_by_week',
    'analysis.stored_findings_by_week',
    'analysis.analysis_runs',
    'analysis.analysis_stages',
    'analysis.codebase_scans',
    'analysis.custom_rules',
    'analysis.diff_summary_cache',
    'analysis.finding_summary',
    'analysis.findings',
    'analysis.jobs',
    'analysis.repository_dashboard',
    'analysis.scan_schedules',
    'analysis.trust_score_cache',
    'attestations.verification_attestations',
    'attestations.verification_badges',
    'audits.archive_segments',
    'audits.archives',
    'audits.audit_log',
    'audits.checkpoint_lanes',
    'audits.checkpoints',
    'audits.column_rules',
    'audits.entries',
    'audits.lanes',
    'audits.size_report',
    'audits.merkle_tiles',
    'audits.personal_fields',
    'audits.redaction_keys',
    'audits.retention_locks',
    'audits.statistics',
    'audits.subject_keys',
    'audits.tracked_tables',
    'audits.verifications',
    'auth.api_key_rate_buckets',
    'auth.api_keys',
    'auth.audit_logs',
    'auth.email_verifications',
    'auth.invitation_uses',
    'auth.invitations',
    'auth.jwt_keys',
    'auth.login_attempts',
    'auth.password_resets',
    'auth.recovery_codes',
    'auth.refresh_tokens',
    'auth.session_revocations',
    'auth.sessions',
    'auth.users',
    'experiments_v1.blacklist',
    'experiments_v1.comparison_reports',
    'experiments_v1.evaluations',
    'experiments_v1.experiments',
    'experiments_v1.promotions',
    'integrations.inbound_deliveries',
    'integrations.inbound_secrets',
    'integrations.notification_configs',
    'integrations.webhook_deliveries',
    'integrations.webhooks',
    'observability.alert_evaluations',
    'observability.alert_firings',
    'observability.alert_rules',
    'observability.incident_events',
    'observability.incident_progress',
    'observability.incidents',
    'observability.incidents_by_month',
    'observability.stored_incidents_by_month',
    'observability.log_intake',
    'observability.logs',
    'observability.rejected_logs',
    'observability.open_alerts',
    'production.analysis_sessions',
    'production.analysis_tasks',
    'production.artifacts',
    'production.code_review_results',
    'projects.baselines',
    'projects.policies',
    'projects.project_policies',
    'projects.projects',
    'projects.version_history',
    'projects.versions',
    'providers.cost_alerts',
    'providers.provider_health',
    'providers.providers',
    'providers.usage_metrics',
    'providers.usage_tracking',
    'providers.user_providers',
    'providers.user_quotas',
    'quarantine.quarantine_records',
    'quarantine.reevaluation_requests',
    'scm.github_installations',
    'scm.installations',
    'scm.repositories',
    'telemetry.ai_share',
    'telemetry.code_attribution',
    'telemetry.code_events',
    'telemetry.events_by_week',
    'telemetry.repo_metrics',
    'telemetry.stored_events_by_week',
    'tenancy.coverage',
    'tenancy.environments',
    'tenancy.org_memberships',
    'tenancy.organization_members',
    'tenancy.organizations',
    'tenancy.permissions',
    'tenancy.role_bindings',
    'tenancy.services'],
    'the tables and views are those listed here');
SELECT set_eq(
    $$
        SELECT t.oid::regtype::text
        FROM pg_type AS t
        JOIN pg_namespace AS n ON n.oid = t.typnamespace
        WHERE n.nspowner = 'codeverify_owner'::regrole
          AND t.typtype NOT IN ('c')
          AND t.typelem = 0
    $$,
    ARRAY[
    'observability.incident_severity',
    'observability.incident_status',
    'scm.github_account_type',
    'telemetry.detection_method',
    'telemetry.event_type',
    'telemetry.risk_tier',
    'telemetry.time_period',
    'tenancy.member_role',
    'tenancy.org_plan'],
    'the types are those listed here');
SELECT set_eq(
    $$
        SELECT c.oid::regclass::text
        FROM pg_class AS c
        JOIN pg_namespace AS n ON n.oid = c.relnamespace
        WHERE n.nspowner = 'codeverify_owner'::regrole AND c.relkind = 'S'
    $$,
    ARRAY['audits.audit_log_id_seq', 'codeverify.metric_changes_id_seq', 'observability.incident_events_id_seq',
          'observability.logs_id_seq', 'providers.usage_tracking_id_seq', 'telemetry.code_events_id_seq'],
    'the sequences are those listed here');
SELECT set_eq(
    $$SELECT n.nspname::text FROM pg_namespace AS n WHERE n.nspowner = 'codeverify_owner'::regrole$$,
    ARRAY[
        'codeverify', 'tenancy', 'auth', 'scm', 'analysis', 'integrations', 'attestations', 'telemetry', 'observability',
        'projects', 'experiments_v1', 'production', 'quarantine', 'providers', 'audits'],
    'the schemas are those listed here');

SELECT is_empty(
    $$
        SELECT c.oid::regclass
        FROM pg_class AS c
        JOIN pg_namespace AS n ON n.oid = c.relnamespace
        WHERE n.nspowner = 'codeverify_owner'::regrole AND c.relowner <> n.nspowner
    $$,
    'codeverify_owner owns every relation in them');
SELECT is_empty(
    $$
        SELECT t.oid::regtype
        FROM pg_type AS t
        JOIN pg_namespace AS n ON n.oid = t.typnamespace
        WHERE n.nspowner = 'codeverify_owner'::regrole AND t.typowner <> n.nspowner
    $$,
    'and every type');
SELECT is_empty(
    $$
        SELECT p.oid::regprocedure
        FROM pg_proc AS p
        JOIN pg_namespace AS n ON n.oid = p.pronamespace
        WHERE n.nspowner = 'codeverify_owner'::regrole
          AND NOT EXISTS (SELECT FROM member AS m WHERE m.classid = 'pg_proc'::regclass AND m.objid = p.oid)
    $$,
    'every function in them is a member');
SELECT is_empty(
    $$SELECT a.attrelid::regclass, a.attname FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid
        WHERE c.relowner = 'codeverify_owner'::regrole AND a.attidentity <> ''$$,
    'there is no identity column');

-- Calling it again, and who may.
SELECT is(codeverify.deploy(), 'adopted', 'where everything exists there is nothing to make');
SELECT is(codeverify.deploy(), 'adopted', 'however often');
SAVEPOINT whole;
DROP VIEW tenancy.coverage;
SELECT throws_ok('SELECT codeverify.deploy()', 'VC003', 'some of the codeverify objects exist already', 'where something is missing it refuses');
SELECT is(
    (SELECT count(*) FROM pg_class AS c WHERE c.relname = 'coverage' AND c.relkind = 'v'), 0::bigint, 'and makes nothing');
ROLLBACK TO SAVEPOINT whole;

CREATE ROLE tap_nobody LOGIN;
CREATE ROLE tap_admin LOGIN IN ROLE codeverify_admin;
SET LOCAL SESSION AUTHORIZATION tap_nobody;
SELECT throws_ok('SELECT codeverify.deploy()', '42501', NULL, 'an ordinary role may not call it');
SET LOCAL SESSION AUTHORIZATION tap_admin;
SELECT throws_ok('SELECT codeverify.deploy()', '42501', NULL, 'nor an administrator');
RESET SESSION AUTHORIZATION;
GRANT EXECUTE ON FUNCTION codeverify.deploy() TO tap_admin;
SET LOCAL SESSION AUTHORIZATION tap_admin;
SELECT throws_ok('SELECT codeverify.deploy()', 'VC004', 'only a superuser can deploy codeverify', 'one to whom it is granted must be a superuser too');
SET LOCAL SESSION AUTHORIZATION codeverify_owner;
SELECT throws_ok('SELECT codeverify.deploy()', 'VC004', NULL, 'so must the owner');
RESET SESSION AUTHORIZATION;
SELECT throws_ok('DROP EXTENSION codeverify', '2BP01', NULL, 'DROP EXTENSION does not take the data with it');

SELECT * FROM finish();
ROLLBACK;
