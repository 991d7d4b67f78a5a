COMMENT ON SCHEMA codeverify IS 'The extension itself: deployment, partitions, settings.';
COMMENT ON SCHEMA tenancy IS 'Organizations, their members, services and environments; the context and the isolation of tenants.';
COMMENT ON SCHEMA auth IS 'Users, sessions, invitations, password resets and API keys.';
COMMENT ON SCHEMA scm IS 'Source control: GitHub App installations and repositories.';
COMMENT ON SCHEMA analysis IS 'Analyses and their findings, rules, scans, schedules and caches.';
COMMENT ON SCHEMA integrations IS 'Webhooks in both directions and notification channels.';
COMMENT ON SCHEMA attestations IS 'Signed verification attestations and the badges that show them.';
COMMENT ON SCHEMA telemetry IS 'Code events, attribution of code to people and models, repository metrics.';
COMMENT ON SCHEMA observability IS 'Logs, alert rules and their firings, incidents.';
COMMENT ON SCHEMA projects IS 'Projects with their versions, baselines and policies.';
COMMENT ON SCHEMA experiments_v1 IS 'The experimentation zone: experiments, evaluations, promotions, blacklist.';
COMMENT ON SCHEMA production IS 'The production zone: analysis sessions, tasks, artifacts, review results.';
COMMENT ON SCHEMA quarantine IS 'The quarantine zone: configurations that failed, kept for review.';
COMMENT ON SCHEMA providers IS 'AI providers, keys, quotas, usage and costs.';
COMMENT ON SCHEMA audits IS 'The audit ledger.';

GRANT USAGE ON SCHEMA
    codeverify, tenancy, auth, scm, analysis, integrations, attestations, telemetry, observability, projects,
    experiments_v1, production, quarantine, providers, audits
TO codeverify_admin, codeverify_service, codeverify_tenant, codeverify_ingest, codeverify_auditor;
