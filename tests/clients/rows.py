"""A row for every table, in Python's own types, to be written through each driver.

Values are what applications hold: UUIDs, datetimes with a time zone, dates, Decimals, floats, enumerations, and dicts
and lists for JSON. org_id is left out where the table has one: the organization in context is its default.
"""

import enum
import hashlib
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from uuid import uuid4

from support import DOMAINS, new_github_id

NOW = datetime.now(timezone.utc).replace(second=0, microsecond=0)
EARLIER = NOW - timedelta(hours=1, microseconds=123457)
LATER = NOW + timedelta(days=30)
COMMIT = "6e1ece7ed522c904a674966fa985159b31bb9545"


def _enumeration(name, *labels):
    return enum.StrEnum(name, {label: label for label in labels})


# The documented enum types that are types of columns, by their names in the database.
ENUMERATIONS = {
    "tenancy.org_plan": _enumeration("OrgPlan", "free", "team", "enterprise"),
    "telemetry.event_type": _enumeration(
        "EventType", "commit", "pr_opened", "pr_reviewed", "pr_merged", "deploy", "incident"),
    "telemetry.detection_method": _enumeration("DetectionMethod", "heuristic", "ml_model", "manual_override"),
    "telemetry.risk_tier": _enumeration("RiskTier", "T1_boilerplate", "T2_glue", "T3_core", "T4_novel"),
    "telemetry.time_period": _enumeration("TimePeriod", "day", "week", "month"),
    "observability.incident_severity": _enumeration("IncidentSeverity", "sev1", "sev2", "sev3", "sev4"),
}

# Every table but partitions, whether the current user may INSERT, and the columns it may read.
TABLES_QUERY = f"""
    SELECT n.nspname || '.' || c.relname AS table_name,
           -- The ledger takes from the service what is not its own to set.
           has_table_privilege(c.oid, 'INSERT')
               OR c.oid = 'audits.audit_log'::regclass AND has_any_column_privilege(c.oid, 'INSERT') AS insertable,
           ARRAY(
               SELECT a.attname::text
               FROM pg_catalog.pg_attribute AS a
               WHERE a.attrelid = c.oid
                 AND a.attnum > 0
                 AND NOT a.attisdropped
                 AND has_column_privilege(c.oid, a.attnum, 'SELECT')) AS readable
    FROM pg_catalog.pg_class AS c
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p')
      AND NOT c.relispartition
      AND n.nspname IN ({", ".join(f"'{domain}'" for domain in DOMAINS)})
      -- What else is in audits, and everything in codeverify, functions alone write.
      AND (n.nspname NOT IN ('audits', 'codeverify') OR c.relname = 'audit_log')
"""


def digest(*parts):
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def insert_statement(table, columns, returning, placeholders):
    """INSERT INTO the table, as drivers without a builder of their own send it."""
    names = ", ".join(f'"{column}"' for column in columns)
    values = ", ".join(placeholders)
    statement = f"INSERT INTO {table} ({names}) VALUES ({values})"
    if returning:
        statement += " RETURNING " + ", ".join(f'"{column}"' for column in returning)
    return statement


def rows(tenant):
    """Pairs of a table and a row: parents before children. Ids and unique values are new at every call."""
    tier = ENUMERATIONS["telemetry.risk_tier"]
    mark = uuid4().hex
    user = tenant.owner_id
    repo = {"repo_id": tenant.repo_id}
    new_user, service, environment, analysis, run, webhook, attestation, rule, experiment = (uuid4() for _ in range(9))
    project, version, policy, session, provider, quarantine, invitation, login, incident = (uuid4() for _ in range(9))

    return [
        ("auth.users", {
            "id": new_user, "github_id": new_github_id(), "username": f"user {mark}", "email": f"{mark}@example.org",
            "avatar_url": "https://example.org/a.png", "access_token_encrypted": "gAAAA", "password_hash": "$argon2id$",
            "auth0_sub": f"auth0|{mark}", "last_login": EARLIER, "role": "viewer", "verified": True,
            "totp_secret": "JBSWY3DP", "failed_login_attempts": 2, "locked_until": LATER,
            "settings": {"theme": "dark", "größe": 1.5}}),
        ("auth.sessions", {
            "id": login, "user_id": user, "session_token_hash": digest(mark, 1),
            "refresh_token_hash": digest(mark, 2), "expires_at": LATER, "device_info": {"agent": "Firefox"},
            "last_used": EARLIER}),
        ("auth.refresh_tokens", {"token_hash": digest(mark, 1), "session_id": login, "superseded_at": EARLIER}),
        ("auth.session_revocations", {"session_id": login, "reason": "logout"}),
        ("auth.email_verifications", {
            "id": uuid4(), "user_id": user, "email": f"{mark}@example.org", "token_hash": digest(mark),
            "expires_at": LATER, "used_at": NOW}),
        ("auth.recovery_codes", {"user_id": user, "code_hash": digest(mark), "used_at": NOW}),
        ("auth.login_attempts", {
            "subject_hash": digest(mark), "kind": "account", "failures": 5, "last_failed_at": EARLIER, "locked_until": LATER,
            "user_id": user}),
        ("auth.jwt_keys", {
            "id": uuid4(), "key_id": "2026", "algorithm": "EdDSA", "public_key": "PEM", "issuer": f"https://{mark}.example.org",
            "audience": "codeverify", "org_claim": "org", "enabled": False}),
        ("auth.password_resets", {
            "id": uuid4(), "user_id": user, "email": f"{mark}@example.org", "token_hash": digest(mark), "expires_at": LATER, "used": False}),
        ("auth.audit_logs", {
            "id": uuid4(), "user_id": user, "action": "login", "resource": "session", "status": "failure",
            "details": {"reason": "password"}, "ip_address": "2001:db8::1", "user_agent": "curl"}),
        ("auth.invitations", {
            "id": invitation, "code_hash": digest(mark), "role": "developer", "max_uses": 3, "uses": 1,
            "expires_at": LATER, "created_by": user, "email": f"{mark}@example.org"}),
        ("auth.invitation_uses", {"invitation_id": invitation, "user_id": user, "role": "developer"}),
        ("tenancy.deleted_organizations", {"id": uuid4(), "deleted_at": EARLIER}),
        ("tenancy.organizations", {
            "id": uuid4(), "github_id": new_github_id(), "name": "New", "login": mark,
            "avatar_url": "http://example.org/o.png", "settings": {"limits": [1, 2]},
            "plan": ENUMERATIONS["tenancy.org_plan"].team}),
        ("tenancy.org_memberships", {"id": uuid4(), "user_id": tenant.guest_id, "role": "developer"}),
        ("tenancy.services", {"id": service, "name": f"service {mark}"}),
        ("tenancy.environments", {"id": environment, "name": f"environment {mark}"}),
        ("auth.api_keys", {
            "id": uuid4(), "name": "by hand", "key_hash": digest(mark), "key_prefix": "cv_live_ab", "scopes": ["read"],
            "expires_at": LATER, "last_used_at": EARLIER, "created_by": user, "service_id": service}),
        ("auth.api_key_rate_buckets", {"api_key_id": tenant.api_key_id, "window_start": NOW, "count": 7}),
        ("scm.installations", {
            "id": uuid4(), "github_installation_id": new_github_id(), "account_type": "Organization",
            "permissions": {"checks": "write"}, "events": ["push", "pull_request"], "suspended_at": EARLIER}),
        ("scm.repositories", {
            "id": uuid4(), "github_id": new_github_id(), "name": "new", "full_name": f"{tenant.name}/new",
            "private": True, "default_branch": "trunk", "github_default_branch": "main", "settings": {"a": None}, "enabled": False,
            "installation_id": new_github_id()}),
        ("analysis.analyses", {
            "id": analysis, **repo, "pr_number": 42, "pr_title": "Naïve 🦀 'title'", "head_sha": COMMIT,
            "base_sha": digest(mark), "status": "running", "triggered_by": user, "started_at": EARLIER,
            "metadata": {"labels": ["x"], "deep": {"n": 1e-9}}}),
        ("analysis.analysis_stages", {
            "id": uuid4(), "analysis_id": analysis, "stage_name": "formal", "status": "completed",
            "started_at": EARLIER, "completed_at": NOW, "duration_ms": 1500, "result": {"proved": True}}),
        ("analysis.findings", {
            "id": uuid4(), "analysis_id": analysis, "category": "security", "severity": "critical",
            "title": "Injection", "description": "User input reaches a query.", "file_path": "src/größe.py",
            "line_start": 3, "line_end": 9, "code_snippet": "x = 1\n", "fix_suggestion": "Bind it.",
            "fix_diff": "-x\n+y\n", "confidence": 0.875,
            "verification_type": "formal", "verification_proof": "(unsat)", "metadata": {"cwe": [89]},
            "dismissed": False, "fingerprint": digest(mark), "rule_id": "B608"}),
        ("analysis.custom_rules", {
            "id": uuid4(), **repo, "name": "no eval", "description": "d", "rule_type": "ast",
            "rule_config": {"node": "Call"}, "severity": "high", "enabled": False, "created_by": user}),
        ("analysis.codebase_scans", {
            "id": uuid4(), **repo, "branch": "main", "status": "completed", "triggered_by": "schedule",
            "config": {"depth": 3}, "started_at": EARLIER, "completed_at": NOW, "files_scanned": 10,
            "findings_count": 2, "results": {"files": []}}),
        ("analysis.scan_schedules", {
            "id": uuid4(), **repo, "branch": "main", "cron_expression": "*/15 3 * * 1-5", "config": {}, "enabled": True,
            "last_run_at": EARLIER, "next_run_at": LATER, "created_by": user}),
        ("analysis.trust_score_cache", {
            "id": uuid4(), **repo, "file_path": "a.py", "commit_sha": COMMIT, "score": 61.25, "risk_level": "medium",
            "ai_probability": 0.5, "factors": {"churn": 0.1}}),
        ("analysis.diff_summary_cache", {
            "id": uuid4(), **repo, "pr_number": 42, "head_sha": COMMIT, "title": "t", "description": "d",
            "changes": [{"file": "a.py"}], "risk_assessment": {"level": "low"}}),
        ("analysis.analysis_runs", {
            "run_id": run, "user_id": user, "submission_type": "github", "project_name": "p", "author_type": "ai",
            "author_model": "gpt-4", "git_repo_url": "https://github.com/a/b", "git_branch": "main",
            "git_commit_sha": COMMIT, "metrics": {"churn": {"total_commits": None}, "mi": {"mi_avg": 71.5}},
            "file_tree": {"name": "/"}, "errors": ["no tests"]}),
        ("analysis.jobs", {
            "job_id": f"job {mark}", "user_id": user, "status": "completed", "source_kind": "github",
            "source_metadata": {"git_branch": "main"}, "result_run_id": run, "error_message": None}),
        ("integrations.webhooks", {
            "id": webhook, "url": "https://hooks.example.org/1", "secret_hash": digest(mark), "events": ["analysis"],
            "active": False, "last_triggered_at": EARLIER, "failure_count": 4, "created_by": user}),
        ("integrations.webhook_deliveries", {
            "id": uuid4(), "webhook_id": webhook, "event": "analysis.completed", "payload": {"n": 1},
            "response_status": 502, "response_body": "Bad Gateway", "success": False, "delivered_at": EARLIER}),
        ("integrations.notification_configs", {
            "id": uuid4(), "channel_type": "slack", "webhook_url": "https://hooks.slack.com/x", "config": {"c": "#dev"},
            "events": ["failed"], "enabled": True, "created_by": user}),
        ("integrations.inbound_deliveries", {
            "id": uuid4(), "provider": "github", "delivery_id": mark, "event": "workflow_run", "payload_hash": digest(mark),
            "action": "completed", "status": "handled", "installation_id": 957387, **repo, "details": {"conclusion": "failure"},
            "verified_by": uuid4()}),
        ("integrations.inbound_secrets", {"id": uuid4(), "provider": "github", "secret_encrypted": f"cv1:{mark}"}),
        ("attestations.verification_attestations", {
            "id": attestation, **repo, "analysis_id": analysis, "attestation_type": "release",
            "repo_full_name": f"{tenant.name}/repository", "ref": "refs/tags/v1", "commit_sha": COMMIT,
            "file_paths": ["a.py"], "scope": {"all": True}, "evidence": {"findings": 0}, "tier": "gold", "passed": True,
            "signature": "c2ln", "attestation_hash": digest(mark), "metadata": {}, "expires_at": LATER}),
        ("attestations.verification_badges", {
            "id": uuid4(), "attestation_id": attestation, **repo, "repo_full_name": f"{tenant.name}/repository",
            "token": mark, "tier": "gold", "passed": True, "style": "flat", "config": {}, "view_count": 12,
            "last_viewed_at": EARLIER, "expires_at": LATER}),
        ("telemetry.code_events", {
            **repo, "timestamp": EARLIER, "commit_sha": COMMIT,
            "event_type": ENUMERATIONS["telemetry.event_type"].pr_merged, "metadata": {"pr": 42}}),
        ("telemetry.code_attribution", {
            "id": uuid4(), "commit_sha": digest(mark), "file_path": "a.py", **repo, "ai_confidence": 0.25,
            "risk_tier": tier.T3_core, "detection_signals": {"burst": True},
            "detection_method": ENUMERATIONS["telemetry.detection_method"].ml_model}),
        ("telemetry.repo_metrics", {
            "id": uuid4(), **repo, "date": date(2024, 2, 29), "period": ENUMERATIONS["telemetry.time_period"].month,
            "files_analyzed": 10, "ai_files": 4, "avg_ai_confidence": 0.125, "t1_boilerplate_files": 1,
            "t2_glue_files": 2, "t3_core_files": 3, "t4_novel_files": 4}),
        ("observability.logs", {
            "service_id": service, "environment_id": environment, "ts": EARLIER, "level": "error",
            "message": "Boom\nat line 1", "meta_json": {"trace": "abc"}}),
        ("observability.rejected_logs", {
            "id": uuid4(), "received_at": EARLIER, "reason": "no_message", "entry": '{"level": "info"}'}),
        ("observability.alert_rules", {
            "id": rule, "type": "error_count", "params_json": {"threshold": 5}, "enabled": True}),
        ("observability.alert_evaluations", {
            "rule_id": rule, "evaluated_at": EARLIER, "last_error": "x", "last_error_at": EARLIER}),
        ("observability.incidents", {
            "id": incident, "status": "open", "fingerprint": mark, **repo,
            "severity": ENUMERATIONS["observability.incident_severity"].sev2, "metadata": {"x": [None]},
            "service_id": service, "environment_id": environment, "title": "t", "rule_id": rule, "occurrences": 2,
            "last_seen_at": NOW, "acknowledged_at": NOW, "acknowledged_by": user}),
        ("observability.incident_events", {
            "incident_id": incident, "occurred_at": NOW, "kind": "noted", "actor_id": user, "note": "n",
            "details": {"x": None}}),
        ("observability.alert_firings", {
            "rule_id": rule, "fingerprint": "f", "fired_at": EARLIER, "state": "recovered", "evaluated_at": NOW,
            "recovered_at": NOW, "observed": Decimal("1.5"), "threshold": Decimal("2"), "incident_id": incident}),
        ("projects.projects", {
            "id": project, "name": "p", "description": "d", "owner_id": user, "settings": {"k": "v"},
            "archived": True}),
        ("projects.versions", {
            "id": version, "project_id": project, "tag": "v2", "model_config": {"t": 0.5}, "changelog": "c",
            "promoted_at": EARLIER, "promoted_by": user}),
        ("projects.version_history", {
            "id": uuid4(), "version_id": version, "changed_by": user, "action": "promoted", "from_tag": "v1",
            "to_tag": "v2", "reason": "better"}),
        ("projects.baselines", {
            "id": uuid4(), "project_id": project, "metric_key": "coverage", "threshold": Decimal("80.125"),
            "operator": ">=", "snapshot_id": uuid4(), "active": True}),
        ("projects.policies", {
            "id": policy, "name": f"policy {mark}", "description": "d", "rego_code": "package p\nallow = true\n",
            "active": True}),
        ("projects.project_policies", {"id": uuid4(), "project_id": project, "policy_id": policy}),
        ("experiments_v1.experiments", {
            "id": experiment, "name": "e", "description": "d", "version": "v1", "config": {"lr": 0.001},
            "dataset_id": uuid4(), "status": "completed", "created_by": user, "started_at": EARLIER,
            "completed_at": NOW}),
        ("experiments_v1.evaluations", {
            "id": uuid4(), "experiment_id": experiment, "metrics": {"f1": 0.5}, "ai_verdict": "manual_review",
            "ai_confidence": Decimal("0.625"), "human_override": "pass", "override_reason": "seen",
            "evaluated_by": "human", "evaluator_id": user, "evaluated_at": EARLIER}),
        ("experiments_v1.promotions", {
            "id": uuid4(), "from_version_id": version, "to_version_id": version, "status": "approved", "reason": "r",
            "approver_id": user, "promoted_at": EARLIER}),
        ("experiments_v1.blacklist", {
            "id": uuid4(), "config_hash": digest(mark), "reason": "r", "evidence": {}, "quarantined_at": EARLIER,
            "quarantined_by": user, "review_status": "reviewed", "reviewed_by": user, "reviewed_at": NOW}),
        ("experiments_v1.comparison_reports", {
            "id": uuid4(), "v1_experiment_id": experiment, "v2_version_id": version, "dataset_id": uuid4(),
            "metrics": {"delta": -0.5}, "recommendation": "promote", "confidence": Decimal("0.99")}),
        ("production.analysis_sessions", {
            "id": session, "user_id": user, "project_id": project, "version": "v2", "status": "failed",
            "started_at": EARLIER, "finished_at": NOW, "error_message": "e", "metadata": {"a": "b"}}),
        ("production.analysis_tasks", {
            "id": uuid4(), "session_id": session, "type": "graph", "status": "completed", "result": {"nodes": 3},
            "error_message": None, "started_at": EARLIER, "finished_at": NOW, "duration_ms": 12}),
        ("production.artifacts", {
            "id": uuid4(), "session_id": session, "type": "patch", "s3_uri": "s3://bucket/key", "sha256": digest(mark),
            "size_bytes": 2**40, "metadata": {}, "expires_at": LATER}),
        ("production.code_review_results", {
            "id": uuid4(), "session_id": session, "code_language": "python", "code_length": 100,
            "overall_score": Decimal("87.5"), "vulnerabilities_count": 1, "issues_count": 2, "model_used": "gpt-4",
            "analysis_time_ms": 900}),
        ("quarantine.quarantine_records", {
            "id": quarantine, "experiment_id": experiment, "config_hash": digest(mark), "config": {"lr": 1},
            "reason": "r", "evidence": {}, "failure_metrics": {"loss": 9.75}, "quarantined_at": EARLIER,
            "quarantined_by": user, "review_status": "under_review", "reviewed_at": NOW, "reviewed_by": user,
            "review_notes": "n"}),
        ("quarantine.reevaluation_requests", {
            "id": uuid4(), "quarantine_id": quarantine, "requested_by": user, "reason": "r", "status": "completed",
            "approved_by": user, "approved_at": EARLIER, "completed_at": NOW, "result": {"ok": True}}),
        ("providers.providers", {
            "id": provider, "name": f"provider {mark}", "provider_type": "anthropic", "model_name": "m",
            "api_endpoint": "https://api.example.org", "is_active": True, "is_platform_provided": False,
            "cost_per_1k_tokens": Decimal("0.00325"), "max_tokens": 200_000, "timeout_seconds": 60}),
        ("providers.provider_health", {
            "id": uuid4(), "provider_id": provider, "is_healthy": False, "last_check_at": EARLIER, "last_error": "503",
            "consecutive_failures": 3, "response_time_ms": Decimal("12.75"), "success_rate": Decimal("0.5")}),
        ("providers.user_providers", {
            "id": uuid4(), "user_id": user, "provider_name": "mine", "provider_type": "openai", "model_name": "m",
            "encrypted_api_key": "Z0FBQUE=", "encrypted_dek": "ZGVr", "key_last_4_chars": "wxyz", "is_active": True}),
        ("providers.user_quotas", {
            "id": uuid4(), "user_id": user, "daily_limit": 100, "monthly_limit": 2000,
            "daily_cost_limit": Decimal("1.50"), "monthly_cost_limit": Decimal("20")}),
        ("providers.usage_tracking", {
            "user_id": user, "provider": "openai", "model": "m", "date": date(2024, 2, 29), "requests_count": 3,
            "tokens_input": 2**31 - 1, "tokens_output": 0, "cost_usd": Decimal("0.000000125")}),
        ("providers.usage_metrics", {
            "id": uuid4(), "user_id": user, "provider": "openai", "model": "m", "date": date(2024, 2, 1), "period": "month",
            "requests_count": 2**40, "tokens_input": 2**40, "tokens_output": 0, "cost_usd": Decimal("0.000000125")}),
        ("providers.cost_alerts", {
            "id": uuid4(), "user_id": user, "alert_type": "monthly_90", "threshold_percentage": 90,
            "triggered_at": EARLIER, "acknowledged": True, "acknowledged_at": NOW}),
        ("audits.audit_log", {
            "event_id": uuid4(), "entity": "analysis", "action": "created", "actor_id": user, "resource_id": analysis,
            "payload": {"before": None, "after": {"n": 12345678901234567890}}, "ip_address": "192.0.2.1",
            "user_agent": "curl"}),
    ]
