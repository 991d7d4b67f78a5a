//! The SQL files of the extension and what they make.

/// One SQL file below `sql/`.
pub struct SqlFile {
    pub path: &'static str,
    pub text: &'static str,
}

macro_rules! sql_files {
    ($($path:literal),* $(,)?) => {
        &[$(SqlFile { path: $path, text: include_str!(concat!("../../sql/", $path)) }),*]
    };
}

/// The schemas, one for each domain; bootstrap.sql makes them.
pub const DOMAINS: [&str; 15] = [
    "codeverify",
    "tenancy",
    "auth",
    "scm",
    "analysis",
    "integrations",
    "attestations",
    "telemetry",
    "observability",
    "projects",
    "experiments_v1",
    "production",
    "quarantine",
    "providers",
    "audits",
];

/// What `codeverify.deploy()` runs, in this order: the user's data.
pub const DEPLOYED: &[SqlFile] = sql_files![
    "codeverify/schemas.sql",
    "codeverify/deployment.sql",
    "tenancy/types.sql",
    "tenancy/tables/organizations.sql",
    "tenancy/tables/deleted_organizations.sql",
    "codeverify/tables/partition_sets.sql",
    "codeverify/tables/maintenance_tasks.sql",
    "codeverify/tables/report_refreshes.sql",
    "codeverify/tables/metric_refreshes.sql",
    "codeverify/tables/metric_changes.sql",
    "codeverify/tables/clean_up_settings.sql",
    "codeverify/tables/packed_segments.sql",
    "auth/tables/users.sql",
    "tenancy/tables/org_memberships.sql",
    "tenancy/tables/services.sql",
    "tenancy/tables/environments.sql",
    "auth/tables/sessions.sql",
    "auth/tables/refresh_tokens.sql",
    "auth/tables/session_revocations.sql",
    "auth/tables/email_verifications.sql",
    "auth/tables/recovery_codes.sql",
    "auth/tables/login_attempts.sql",
    "auth/tables/api_keys.sql",
    "auth/tables/invitations.sql",
    "auth/tables/invitation_uses.sql",
    "auth/tables/jwt_keys.sql",
    "auth/tables/password_resets.sql",
    "auth/tables/api_key_rate_buckets.sql",
    "auth/tables/audit_logs.sql",
    "scm/types.sql",
    "scm/tables/installations.sql",
    "scm/tables/repositories.sql",
    "analysis/tables/analyses.sql",
    "analysis/tables/analysis_stages.sql",
    "analysis/tables/findings.sql",
    "analysis/tables/custom_rules.sql",
    "analysis/tables/codebase_scans.sql",
    "analysis/tables/scan_schedules.sql",
    "analysis/tables/trust_score_cache.sql",
    "analysis/tables/diff_summary_cache.sql",
    "analysis/tables/analysis_runs.sql",
    "analysis/tables/jobs.sql",
    "integrations/tables/webhooks.sql",
    "integrations/tables/webhook_deliveries.sql",
    "integrations/tables/inbound_secrets.sql",
    "integrations/tables/inbound_deliveries.sql",
    "integrations/tables/notification_configs.sql",
    "attestations/tables/verification_attestations.sql",
    "attestations/tables/verification_badges.sql",
    "telemetry/types.sql",
    "telemetry/tables/code_events.sql",
    "telemetry/tables/code_attribution.sql",
    "telemetry/tables/repo_metrics.sql",
    "observability/types.sql",
    "observability/tables/logs.sql",
    "observability/tables/rejected_logs.sql",
    "observability/tables/alert_rules.sql",
    "observability/tables/alert_evaluations.sql",
    "observability/tables/incidents.sql",
    "observability/tables/incident_events.sql",
    "observability/tables/alert_firings.sql",
    "projects/tables/projects.sql",
    "projects/tables/versions.sql",
    "projects/tables/baselines.sql",
    "projects/tables/policies.sql",
    "projects/tables/project_policies.sql",
    "projects/tables/version_history.sql",
    "experiments_v1/tables/experiments.sql",
    "experiments_v1/tables/evaluations.sql",
    "experiments_v1/tables/promotions.sql",
    "experiments_v1/tables/blacklist.sql",
    "experiments_v1/tables/comparison_reports.sql",
    "production/tables/analysis_sessions.sql",
    "production/tables/analysis_tasks.sql",
    "production/tables/artifacts.sql",
    "production/tables/code_review_results.sql",
    "quarantine/tables/quarantine_records.sql",
    "quarantine/tables/reevaluation_requests.sql",
    "providers/tables/providers.sql",
    "providers/tables/provider_health.sql",
    "providers/tables/user_providers.sql",
    "providers/tables/user_quotas.sql",
    "providers/tables/usage_tracking.sql",
    "providers/tables/usage_metrics.sql",
    "providers/tables/cost_alerts.sql",
    "audits/tables/audit_log.sql",
    "audits/tables/lanes.sql",
    "audits/tables/checkpoints.sql",
    "audits/tables/checkpoint_lanes.sql",
    "audits/tables/merkle_tiles.sql",
    "audits/tables/verifications.sql",
    "audits/tables/archives.sql",
    "audits/tables/archive_segments.sql",
    "audits/tables/retention_locks.sql",
    "audits/tables/subject_keys.sql",
    "audits/tables/personal_fields.sql",
    "audits/tables/column_rules.sql",
    "audits/tables/redaction_keys.sql",
    "codeverify/triggers.sql",
    "tenancy/triggers.sql",
    "auth/triggers.sql",
    "analysis/triggers.sql",
    "integrations/triggers.sql",
    "telemetry/triggers.sql",
    "observability/triggers.sql",
    "projects/triggers.sql",
    "experiments_v1/triggers.sql",
    "quarantine/triggers.sql",
    "providers/triggers.sql",
    "audits/triggers.sql",
    "tenancy/policies.sql",
    "codeverify/policies.sql",
    "auth/policies.sql",
    "scm/policies.sql",
    "analysis/policies.sql",
    "integrations/policies.sql",
    "attestations/policies.sql",
    "telemetry/policies.sql",
    "observability/policies.sql",
    "projects/policies.sql",
    "experiments_v1/policies.sql",
    "production/policies.sql",
    "quarantine/policies.sql",
    "providers/policies.sql",
    "audits/policies.sql",
    "tenancy/views.sql",
    "scm/views.sql",
    "analysis/views.sql",
    "observability/views.sql",
    "analysis/reports.sql",
    "telemetry/reports.sql",
    "observability/reports.sql",
    "audits/views/statistics.sql",
    "audits/views/size_report.sql",
    "audits/views/tracked_tables.sql",
    "audits/views/entries.sql",
    "codeverify/views.sql",
    "codeverify/views/maintenance_status.sql",
    "codeverify/views/schema_sizes.sql",
    "codeverify/views/index_usage.sql",
    "codeverify/views/missing_foreign_key_indexes.sql",
    "codeverify/views/queue_age.sql",
    "codeverify/views/slow_sets.sql",
    "audits/tracking.sql",
];

/// What CREATE EXTENSION runs itself (see the `extension_sql_file!` calls): the functions.
#[cfg(test)]
pub const INSTALLED: &[SqlFile] = sql_files![
    "codeverify/bootstrap.sql",
    "codeverify/functions.sql",
    "codeverify/checks/server.sql",
    "codeverify/checks/ledger.sql",
    "codeverify/checks/isolation.sql",
    "codeverify/checks/roles.sql",
    "codeverify/checks/secrets.sql",
    "codeverify/checks/upkeep.sql",
    "codeverify/doctor.sql",
    "codeverify/encryption.sql",
    "codeverify/clock.sql",
    "codeverify/reports.sql",
    "codeverify/table_owners.sql",
    "codeverify/metrics.sql",
    "codeverify/partition_sets.sql",
    "codeverify/partition_configuration.sql",
    "codeverify/partition_table.sql",
    "codeverify/table_copies.sql",
    "codeverify/partition_statements.sql",
    "codeverify/partition_making.sql",
    "codeverify/partition_closing.sql",
    "codeverify/retention.sql",
    "codeverify/retirement.sql",
    "codeverify/monitoring.sql",
    "codeverify/maintenance.sql",
    "codeverify/clean_up.sql",
    "codeverify/maintenance_status.sql",
    "tenancy/deleted_organizations.sql",
    "audits/upkeep.sql",
    "tenancy/functions.sql",
    "tenancy/isolation.sql",
    "tenancy/authorship.sql",
    "tenancy/role_bindings.sql",
    "tenancy/web_tokens.sql",
    "auth/api_keys.sql",
    "auth/jwt_keys.sql",
    "auth/lockout.sql",
    "auth/password_resets.sql",
    "auth/users.sql",
    "auth/passwords.sql",
    "auth/login.sql",
    "auth/rate_limits.sql",
    "auth/departures.sql",
    "auth/invitations.sql",
    "tenancy/ownership.sql",
    "auth/sessions.sql",
    "auth/totp.sql",
    "analysis/functions.sql",
    "analysis/pending.sql",
    "scm/installations.sql",
    "integrations/inbound_secrets.sql",
    "integrations/inbound_deliveries.sql",
    "integrations/inbound_events.sql",
    "telemetry/functions.sql",
    "telemetry/code_events.sql",
    "telemetry/attribution.sql",
    "telemetry/metrics.sql",
    "providers/usage.sql",
    "observability/functions.sql",
    "observability/alert_rules.sql",
    "observability/alert_conditions.sql",
    "observability/alert_evaluation.sql",
    "observability/incidents.sql",
    "observability/packed_logs.sql",
    "codeverify/packing.sql",
    "codeverify/partition_emptying.sql",
    "codeverify/unpacking.sql",
    "codeverify/compression.sql",
    "codeverify/packed_reading.sql",
    "providers/packed_usage.sql",
    "observability/log_ingestion.sql",
    "observability/log_search.sql",
    "observability/log_volume.sql",
    "audits/encoding.sql",
    "audits/append.sql",
    "audits/capture.sql",
    "audits/verification.sql",
    "audits/checkpoints.sql",
    "audits/archives.sql",
    "audits/erasure.sql",
    "audits/guard.sql",
    "audits/reading.sql",
    "codeverify/finalize.sql",
];

/// A relation or type that deployment makes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deployed {
    /// TABLE, VIEW, MATERIALIZED VIEW or TYPE.
    pub kind: &'static str,
    /// Schema-qualified name.
    pub name: String,
}

/// Reads from the SQL files which tables, views and types they create. Partitions go with their parents.
pub fn deployed_objects() -> Vec<Deployed> {
    let creations = [
        ("CREATE TABLE ", "TABLE"),
        ("CREATE VIEW ", "VIEW"),
        ("CREATE MATERIALIZED VIEW ", "MATERIALIZED VIEW"),
        ("CREATE TYPE ", "TYPE"),
    ];
    DEPLOYED
        .iter()
        .flat_map(|file| file.text.lines())
        .filter(|line| !line.contains(" PARTITION OF "))
        .filter_map(|line| {
            creations
                .iter()
                .find_map(|(start, kind)| Some((line.strip_prefix(start)?, *kind)))
        })
        .filter_map(|(rest, kind)| {
            let name = rest.split([' ', '(']).next()?;
            Some(Deployed {
                kind,
                name: name.to_owned(),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::{Path, PathBuf};

    fn files_below(folder: &Path) -> Vec<PathBuf> {
        fs::read_dir(folder)
            .expect("a folder of SQL files")
            .map(|entry| entry.expect("a folder entry").path())
            .flat_map(|path| {
                if path.is_dir() {
                    files_below(&path)
                } else {
                    vec![path]
                }
            })
            .collect()
    }

    #[test]
    fn every_sql_file_is_run_exactly_once() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("sql");
        let found: BTreeSet<String> = files_below(&root)
            .into_iter()
            .map(|path| {
                path.strip_prefix(&root)
                    .expect("below sql/")
                    .display()
                    .to_string()
            })
            .filter(|path| path.ends_with(".sql") && !path.starts_with("install/"))
            .collect();
        let listed: Vec<String> = INSTALLED
            .iter()
            .chain(DEPLOYED)
            .map(|file| file.path.to_owned())
            .collect();
        assert_eq!(
            listed.len(),
            listed.iter().collect::<BTreeSet<_>>().len(),
            "a file is listed twice"
        );
        assert_eq!(found, listed.into_iter().collect());
    }

    #[test]
    fn the_domains_are_those_of_bootstrap_and_of_the_folders() {
        let listed = INSTALLED[0]
            .text
            .split("ARRAY[")
            .nth(1)
            .expect("an array of names");
        let listed: Vec<&str> = listed
            .split('\'')
            .skip(1)
            .step_by(2)
            .take(DOMAINS.len())
            .collect();
        assert_eq!(listed, DOMAINS);
        let folders: BTreeSet<&str> = INSTALLED
            .iter()
            .chain(DEPLOYED)
            .filter_map(|file| file.path.split('/').next())
            .collect();
        assert_eq!(folders, DOMAINS.into_iter().collect());
    }

    #[test]
    fn the_deployment_says_the_version() {
        let file = DEPLOYED
            .iter()
            .find(|file| file.path == "codeverify/deployment.sql")
            .expect("the file");
        assert!(file
            .text
            .contains(&format!("'{}'::text AS version", env!("CARGO_PKG_VERSION"))));
    }

    #[test]
    fn the_install_script_is_ascii() {
        // PostgreSQL reads it in the database's encoding before bootstrap.sql can refuse one.
        for file in INSTALLED {
            assert!(file.text.is_ascii(), "{}", file.path);
        }
    }

    #[test]
    fn objects_are_read_from_the_files() {
        let objects = deployed_objects();
        let find = |name: &str| {
            objects
                .iter()
                .filter(|object| object.name == name)
                .collect::<Vec<_>>()
        };
        assert_eq!(find("analysis.findings")[0].kind, "TABLE");
        assert_eq!(find("tenancy.member_role")[0].kind, "TYPE");
        assert_eq!(find("tenancy.coverage")[0].kind, "VIEW");
        assert_eq!(
            find("telemetry.stored_events_by_week")[0].kind,
            "MATERIALIZED VIEW"
        );
        assert_eq!(find("observability.logs").len(), 1);
        assert!(find("observability.logs_default").is_empty());
        assert!(
            objects
                .iter()
                .all(|object| object.name.split('.').count() == 2),
            "{objects:?}"
        );
    }
}
