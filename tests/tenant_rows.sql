-- A row in every table for each of the two organizations of two_tenants.sql, which must have been included before.
-- Tables that limit a user to rows of their own have one row of the owner and one of the developer.

CREATE PROCEDURE tap.fill(o text)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    org        constant uuid := tap.id(o);
    owner      constant uuid := tap.id('owner of ' || o);
    developer  constant uuid := tap.id('developer of ' || o);
    repo       constant uuid := tap.id('repository of ' || o);
    service    constant uuid := tap.id('service of ' || o);
    analysis   constant uuid := tap.id('analysis of ' || o);
    webhook    constant uuid := tap.id('webhook of ' || o);
    number     constant bigint := 9000000000 + ascii(o);
    sha        constant text := repeat('a', 39) || o;
    digest     constant text := pg_catalog.encode(pg_catalog.sha256(o::bytea), 'hex');
BEGIN
    -- tenancy
    INSERT INTO tenancy.services (id, org_id, name) VALUES (service, org, 'api');
    INSERT INTO tenancy.environments (id, org_id, name) VALUES (tap.id('environment of ' || o), org, 'production');

    -- auth
    INSERT INTO auth.api_keys (id, org_id, name, key_hash, key_prefix, service_id)
    VALUES (tap.id('key of ' || o), org, 'seeded', digest, 'cv_live_' || o, service);
    INSERT INTO auth.api_key_rate_buckets (org_id, api_key_id, window_start)
    VALUES (org, tap.id('key of ' || o), '2026-01-01 00:00+00');
    INSERT INTO auth.invitations (org_id, code_hash) VALUES (org, digest);
    INSERT INTO auth.audit_logs (org_id, user_id, action) VALUES (org, owner, 'login');
    INSERT INTO auth.sessions (user_id, session_token_hash, expires_at) VALUES (owner, digest, now() + interval '1 hour');
    INSERT INTO auth.password_resets (user_id, token_hash, expires_at) VALUES (owner, digest, now() + interval '1 hour');

    -- scm
    INSERT INTO scm.installations (org_id, github_installation_id, account_type) VALUES (org, number, 'Organization');
    INSERT INTO scm.repositories (id, org_id, github_id, name, full_name)
    VALUES (repo, org, number, 'repository', 'tap-' || o || '/repository');

    -- analysis
    INSERT INTO analysis.analyses (id, org_id, repo_id, pr_number, head_sha, status, started_at, triggered_by)
    VALUES (analysis, org, repo, 1, repeat('a', 40), 'running', now(), developer);
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

    -- attestations
    INSERT INTO attestations.verification_attestations
        (id, org_id, repo_id, analysis_id, attestation_type, repo_full_name, attestation_hash, parent_attestation_id)
    VALUES (tap.id('attestation of ' || o), org, repo, analysis, 'commit', 'tap/repository', digest, NULL),
           (tap.id('successor of ' || o), org, NULL, NULL, 'release', 'tap/repository', digest, tap.id('attestation of ' || o));
    INSERT INTO attestations.verification_badges (org_id, attestation_id, repo_id, repo_full_name, token)
    VALUES (org, tap.id('attestation of ' || o), repo, 'tap/repository', 'badge of ' || o);
END
$procedure$;

CALL tap.fill('a');
CALL tap.fill('b');
