//! What maintenance consists of. Pure data; the runner is beside it.

/// One kind of work, done in steps that are committed by themselves.
#[derive(Clone, Copy, Debug)]
pub struct Task {
    /// As `codeverify.maintain(only)` takes it.
    pub name: &'static str,
    /// Query for the targets that have something to do, as text. It runs at every call, so it is cheap.
    pub due: &'static str,
    /// Query that takes a step for the target `$1`: no row when there was nothing to do, or one with
    /// (action text, detail text, more boolean), where `more` asks for the next step of this target.
    pub step: &'static str,
}

/// What a step did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    pub action: String,
    pub detail: String,
    /// Whether to take another one.
    pub more: bool,
}

/// All tasks, in the order in which they are done.
pub const TASKS: &[Task] = &[
    // Before rows of usage leave the table: then their metrics are all that is left of them.
    Task {
        name: "usage",
        due: "SELECT d FROM codeverify.list_due_metrics('providers.usage_metrics') AS d",
        step: "SELECT s.action, s.detail, s.more FROM codeverify.refresh_metrics_step($1) AS s",
    },
    Task {
        name: "partitions",
        due: "SELECT t.target FROM codeverify.list_sets_to_partition() AS t (target)",
        step: "SELECT s.action, s.detail, s.more FROM codeverify.partition_next($1) AS s",
    },
    Task {
        name: "retention",
        due: "SELECT s.parent::text FROM codeverify.list_retirable_sets() AS s (parent)",
        step: "SELECT s.action, s.detail, s.more FROM codeverify.retire_rows($1) AS s",
    },
    Task {
        name: "compression",
        due: "SELECT s.parent::text FROM codeverify.list_compressible_sets() AS s (parent)",
        step: "SELECT s.action, s.detail, s.more FROM codeverify.compress_rows($1) AS s",
    },
    Task {
        name: "indexes",
        due: "SELECT DISTINCT u.parent::text FROM codeverify.list_unbuilt_indexes() AS u",
        step: "SELECT s.action, s.detail, s.more FROM codeverify.close_partitions($1) AS s",
    },
    Task {
        name: "alerts",
        due: "SELECT o.id::text FROM observability.list_due_organizations() AS o (id)",
        step: "SELECT s.action, s.detail, s.more FROM observability.take_alert_step($1) AS s",
    },
    Task {
        name: "clean_up",
        due: "SELECT t.target FROM codeverify.list_due_clean_ups() AS t (target)",
        step: "SELECT s.action, s.detail, s.more FROM codeverify.clean_up($1) AS s",
    },
    Task {
        name: "organizations",
        due: "SELECT d.id::text FROM tenancy.deleted_organizations AS d ORDER BY d.deleted_at",
        step: "SELECT action, detail, more FROM tenancy.finish_deletion($1)",
    },
    Task {
        name: "ledger",
        due: "SELECT t FROM audits.list_due_upkeep() AS t",
        step: "SELECT action, detail, more FROM audits.do_upkeep($1)",
    },
    Task {
        name: "metrics",
        due: "SELECT d FROM codeverify.list_due_metrics('telemetry.repo_metrics') AS d",
        step: "SELECT s.action, s.detail, s.more FROM codeverify.refresh_metrics_step($1) AS s",
    },
    // Last, so that they show what the others have done.
    Task {
        name: "reports",
        due: "SELECT d FROM codeverify.list_due_reports() AS d",
        step: "SELECT s.action, s.detail, s.more FROM codeverify.refresh_report_step($1) AS s",
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_used_once() {
        let names: BTreeSet<&str> = TASKS.iter().map(|task| task.name).collect();
        assert_eq!(names.len(), TASKS.len());
    }
}
