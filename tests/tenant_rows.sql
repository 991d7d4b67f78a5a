-- A row in every table for each of the two organizations of two_tenants.sql, which must have been included before.
-- Tables that limit a user to rows of their own have one row of the owner and one of the developer.

CREATE PROCEDURE tap.fill(o text)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    org         constant uuid := tap.id(o);
    owner       constant uuid := tap.id('owner of ' || o);
    developer   constant uuid := tap.id('developer of ' || o);
    repo        constant uuid := tap.id('repository of ' || o);
    service     constant uuid := tap.id('service of ' || o);
    analysis    constant uuid := tap.id('analysis of ' || o);
    webhook     constant uuid := tap.id('webhook of ' || o);
    environment constant uuid := tap.id('environment of ' || o);
    project     constant uuid := tap.id('project of ' || o);
    experiment  constant uuid := tap.id('experiment of ' || o);
    session     constant uuid := tap.id('session of ' || o);
    number      constant bigint := 9000000000 + ascii(o);
    digest      constant text := pg_catalog.encode(pg_catalog.sha256(o::bytea), 'hex');
BEGIN
    -- tenancy
    INSERT INTO tenancy.services (id, org_id, name) VALUES (service, org, 'api');
    INSERT INTO tenancy.environments (id, org_id, name) VALUES (environment, org, 'production');

    -- auth
    INSERT INTO auth.api_keys (id, org_id, name, key_hash, key_prefix, service_id)
    VALUES (tap.id('key of ' || o), org, 'seeded', digest, 'cv_live_' || o || '-', service);
    INSERT INTO auth.api_key_rate_buckets (org_id, api_key_id, window_start)
    VALUES (org, tap.id('key of ' || o), '2026-01-01 00:00+00');
    INSERT INTO auth.invitations (id, org_id, code_hash) VALUES (tap.id('invitation of ' || o), org, digest);
    INSERT INTO auth.invitation_uses (org_id, invitation_id, user_id, role)
    VALUES (org, tap.id('invitation of ' || o), developer, 'member');
    INSERT INTO auth.audit_logs (org_id, user_id, action) VALUES (org, owner, 'login');
    INSERT INTO auth.sessions (user_id, session_token_hash, expires_at) VALUES (owner, digest, now() + interval '1 hour');
    INSERT INTO auth.refresh_tokens (token_hash, session_id)
    SELECT digest, s.id FROM auth.sessions AS s WHERE s.session_token_hash = digest;
    INSERT INTO auth.session_revocations (session_id, reason)
    SELECT s.id, 'revoked' FROM auth.sessions AS s WHERE s.session_token_hash = digest;
    INSERT INTO auth.email_verifications (user_id, email, token_hash, expires_at)
    VALUES (owner, o || '@example.org', digest, now() + interval '1 hour');
    INSERT INTO auth.recovery_codes (user_id, code_hash) VALUES (owner, digest);
    INSERT INTO auth.login_attempts (subject_hash, kind) VALUES (digest, 'account');
    INSERT INTO auth.jwt_keys (algorithm, public_key, issuer) VALUES ('EdDSA', 'PEM', o);
    INSERT INTO auth.password_resets (user_id, email, token_hash, expires_at) VALUES (owner, 'owner@example.org', digest, now() + interval '1 hour');

    -- scm
    INSERT INTO scm.installations (org_id, github_installation_id, account_type) VALUES (org, number, 'Organization');
    INSERT INTO scm.repositories (id, org_id, github_id, name, full_name)
    VALUES (repo, org, number, 'repository', 'tap-' || o || '/repository');

    -- analysis
    INSERT INTO analysis.analyses (id, org_id, repo_id, pr_number, head_sha, status, started_at, triggered_by)
    VALUES (analysis, org, repo, 1, repeat('a', 40), 'running', now(), owner);
    INSERT INTO analysis.analysis_stages (org_id, analysis_id, stage_name) VALUES (org, analysis, 'parse');
    INSERT INTO analysis.findings (id, org_id, analysis_id, category, severity, title, file_path, line_start, line_end)
    VALUES (tap.id('finding of ' || o), org, analysis, 'security', 'high', 'Secret of ' || o, 'src/main.py', 1, 2);
    INSERT INTO analysis.custom_rules (org_id, repo_id, name, rule_type, rule_config)
    VALUES (org, repo, 'no eval', 'pattern', '{"pattern": "eval("}');
    INSERT INTO analysis.codebase_scans (org_id, repo_id) VALUES (org, repo);
    INSERT INTO analysis.scan_schedules (org_id, repo_id, cron_expression) VALUES (org, repo, '0 3 * * *');
    INSERT INTO analysis.trust_score_cache (org_id, repo_id, file_path, commit_sha, score, risk_level)
    VALUES (org, repo, 'src/main.py', repeat('a', 40), 50, 'medium');
    INSERT INTO analysis.diff_summary_cache (org_id, repo_id, pr_number, head_sha, title, description)
    VALUES (org, repo, 1, repeat('a', 40), 'Title', 'Description');
    INSERT INTO analysis.analysis_runs (run_id, org_id, user_id, submission_type, metrics)
    VALUES (tap.id('run of owner of ' || o), org, owner, 'upload', '{}'),
           (tap.id('run of developer of ' || o), org, developer, 'upload', '{}');
    INSERT INTO analysis.jobs (job_id, org_id, user_id, source_kind, result_run_id)
    VALUES ('job of owner of ' || o, org, owner, 'upload', tap.id('run of owner of ' || o)),
           ('job of developer of ' || o, org, developer, 'upload', NULL);

    -- integrations
    INSERT INTO integrations.webhooks (id, org_id, url, secret_hash) VALUES (webhook, org, 'https://hooks.test/' || o, digest);
    INSERT INTO integrations.webhook_deliveries (org_id, webhook_id, event, payload, delivered_at)
    VALUES (org, webhook, 'analysis.completed', '{}', now()),
           (org, webhook, 'analysis.completed', '{}', '1999-12-31 00:00+00');
    INSERT INTO integrations.notification_configs (org_id, channel_type) VALUES (org, 'email');
    INSERT INTO integrations.inbound_deliveries (org_id, provider, delivery_id, event, payload_hash)
    VALUES (org, 'github', 'delivery of ' || o, 'push', digest);
    INSERT INTO integrations.inbound_secrets (org_id, provider, secret_encrypted) VALUES (org, 'github', 'secret of ' || o);

    -- attestations
    INSERT INTO attestations.verification_attestations
        (id, org_id, repo_id, analysis_id, attestation_type, repo_full_name, attestation_hash, parent_attestation_id)
    VALUES (tap.id('attestation of ' || o), org, repo, analysis, 'commit', 'tap/repository', digest, NULL),
           (tap.id('successor of ' || o), org, NULL, NULL, 'release', 'tap/repository', digest, tap.id('attestation of ' || o));
    INSERT INTO attestations.verification_badges (org_id, attestation_id, repo_id, repo_full_name, token)
    VALUES (org, tap.id('attestation of ' || o), repo, 'tap/repository', 'badge of ' || o);

    -- telemetry
    INSERT INTO telemetry.code_events (org_id, repo_id, event_type, "timestamp")
    VALUES (org, repo, 'commit', now()), (org, repo, 'deploy', '1999-12-31 00:00+00');
    INSERT INTO telemetry.code_attribution (org_id, repo_id, commit_sha, file_path, ai_confidence, risk_tier)
    VALUES (org, repo, repeat('a', 40), 'src/main.py', 0.5, 'T3_core');
    INSERT INTO telemetry.repo_metrics (org_id, repo_id, date) VALUES (org, repo, '2026-01-01');
    INSERT INTO codeverify.metric_refreshes (org_id, relation) VALUES (org, 'telemetry.repo_metrics');
    INSERT INTO codeverify.metric_changes (relation, org_id, subject_id, date) VALUES ('telemetry.repo_metrics', org, repo, '2026-01-01');

    -- observability
    INSERT INTO observability.logs (org_id, service_id, environment_id, ts, level, message)
    VALUES (org, service, environment, now(), 'info', 'Secret of ' || o),
           (org, service, environment, '1999-12-31 00:00+00', 'error', 'Old secret of ' || o);
    INSERT INTO observability.rejected_logs (org_id, reason, entry) VALUES (org, 'not_an_object', '"Rejected secret of ' || o || '"');
    INSERT INTO observability.alert_rules (id, org_id, type) VALUES (tap.id('alert rule of ' || o), org, 'error_count');
    INSERT INTO observability.alert_evaluations (org_id, rule_id, evaluated_at)
    VALUES (org, tap.id('alert rule of ' || o), '2026-01-01 00:00+00');
    -- Its trigger fills observability.incident_events.
    INSERT INTO observability.incidents (id, org_id, repo_id, service_id, environment_id)
    VALUES (tap.id('incident of ' || o), org, repo, service, environment);
    INSERT INTO observability.alert_firings (org_id, rule_id, fingerprint, incident_id)
    VALUES (org, tap.id('alert rule of ' || o), 'f', tap.id('incident of ' || o));

    -- projects
    INSERT INTO projects.projects (id, org_id, name, owner_id) VALUES (project, org, 'Project', owner);
    INSERT INTO projects.versions (id, org_id, project_id, tag) VALUES (tap.id('version of ' || o), org, project, 'v1');
    INSERT INTO projects.baselines (org_id, project_id, metric_key, threshold) VALUES (org, project, 'coverage', 0.8);
    INSERT INTO projects.policies (id, org_id, name, rego_code) VALUES (tap.id('policy of ' || o), org, 'Policy', 'package p');
    INSERT INTO projects.project_policies (org_id, project_id, policy_id) VALUES (org, project, tap.id('policy of ' || o));
    INSERT INTO projects.version_history (org_id, version_id, action) VALUES (org, tap.id('version of ' || o), 'promoted');

    -- experiments_v1
    INSERT INTO experiments_v1.experiments (id, org_id, name) VALUES (experiment, org, 'Experiment');
    INSERT INTO experiments_v1.evaluations (org_id, experiment_id) VALUES (org, experiment);
    INSERT INTO experiments_v1.promotions (org_id, from_version_id, to_version_id)
    VALUES (org, tap.id('version of ' || o), tap.id('next version of ' || o));
    INSERT INTO experiments_v1.blacklist (org_id, config_hash) VALUES (org, digest);
    INSERT INTO experiments_v1.comparison_reports (org_id, v1_experiment_id) VALUES (org, experiment);

    -- production
    INSERT INTO production.analysis_sessions (id, org_id, user_id, project_id)
    VALUES (session, org, owner, project),
           (tap.id('session of developer of ' || o), org, developer, project);
    INSERT INTO production.analysis_tasks (org_id, session_id, type) VALUES (org, session, 'static');
    INSERT INTO production.artifacts (org_id, session_id, type, s3_uri) VALUES (org, session, 'report', 's3://bucket/report');
    INSERT INTO production.code_review_results (org_id, session_id) VALUES (org, session);

    -- quarantine
    INSERT INTO quarantine.quarantine_records (id, org_id, experiment_id, config_hash)
    VALUES (tap.id('quarantined by ' || o), org, experiment, digest);
    INSERT INTO quarantine.reevaluation_requests (org_id, quarantine_id) VALUES (org, tap.id('quarantined by ' || o));

    -- providers: the first two belong to no organization
    INSERT INTO providers.providers (id, name, provider_type) VALUES (tap.id('provider ' || o), 'provider ' || o, 'local');
    INSERT INTO providers.provider_health (provider_id) VALUES (tap.id('provider ' || o));
    INSERT INTO providers.user_providers (org_id, user_id, provider_type, encrypted_api_key, encrypted_dek)
    VALUES (org, owner, 'openai', 'x', 'y'), (org, developer, 'openai', 'x', 'y');
    INSERT INTO providers.user_quotas (org_id, user_id, daily_limit) VALUES (org, owner, 1), (org, developer, 1);
    INSERT INTO providers.usage_tracking (org_id, user_id, provider, model, date)
    VALUES (org, owner, 'openai', 'gpt-4', '1999-12-31'), (org, developer, 'openai', 'gpt-4', CURRENT_DATE);
    INSERT INTO providers.usage_metrics (org_id, user_id, provider, model, date)
    VALUES (org, owner, 'openai', 'gpt-4', '1999-12-31'), (org, developer, 'openai', 'gpt-4', '1999-12-31');
    INSERT INTO providers.cost_alerts (org_id, user_id, alert_type, threshold_percentage)
    VALUES (org, owner, 'daily_80', 80), (org, developer, 'daily_80', 80);

    -- audits
    INSERT INTO audits.audit_log (org_id, actor_id, action)
    VALUES (org, owner, 'analysis.completed'), (org, developer, 'analysis.completed');
    INSERT INTO audits.archives
        (id, partition_name, from_ts, until_ts, entries, segments, bytes_before, bytes_after, root, entry_id)
    VALUES (tap.id('archive of ' || o), 'audit_log_1999_12', '1999-12-01', '2000-01-01', 1, 1, 1, 1, sha256(''), 1);
    INSERT INTO audits.archive_segments
        (org_id, archive_id, place, lanes, first_seqs, last_seqs, entries, min_ts, max_ts, min_id, max_id, signatures)
    VALUES (org, tap.id('archive of ' || o), 0, '{0}', '{1}', '{1}', 1, '1999-12-31', '1999-12-31', 1, 1, sha256(''));
    INSERT INTO codeverify.packed_segments
        (org_id, relation, period_start, period_end, min_ts, max_ts, row_count, columns, content)
    VALUES (org, 'telemetry.code_events', '1999-12-31', '2000-01-01', '1999-12-31', '1999-12-31', 1, '[]', '');
END
$procedure$;

CALL tap.fill('a');
CALL tap.fill('b');

-- Fills audits.checkpoint_lanes.
DO 'BEGIN PERFORM audits.checkpoint(); END';
