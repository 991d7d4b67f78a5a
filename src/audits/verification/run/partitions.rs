//! Glue: entries in partitions that their times do not belong to.

use super::Run;
use crate::audits::verification::reader::Value;
use crate::audits::verification::verdict::{Finding, Verdict};

impl Run<'_> {
    /// Finds entries in partitions that their times do not belong to, where queries with times do not look.
    pub(super) fn check_partitions(&mut self) {
        let sql =
            "SELECT t.relid::regclass::text, pg_catalog.pg_get_partition_constraintdef(t.relid) \
            FROM pg_catalog.pg_partition_tree('audits.audit_log') AS t WHERE t.isleaf";
        let mut partitions: Vec<(String, String)> = Vec::new();
        self.reader.each(sql, &[], |row| {
            if let (Some(name), Some(constraint)) = (row.text(0), row.text(1)) {
                partitions.push((name.to_owned(), constraint.to_owned()));
            }
            true
        });
        for (name, constraint) in partitions {
            // Within bounds when the first and the last are; but what is in a DEFAULT partition may be anywhere.
            let is_range = !constraint.contains("(NOT (");
            let ends = format!(
                "SELECT true FROM (VALUES \
                     ((SELECT min(ts) FROM ONLY {name})), ((SELECT max(ts) FROM ONLY {name}))) AS a (ts) \
                 WHERE a.ts IS NOT NULL AND NOT ({constraint})"
            );
            if is_range && self.reader.first(&ends, &[], |_| ()).is_none() {
                continue;
            }
            let organization = match self.scope.organization {
                Some(_) => "a.org_id = $1",
                None => "$1::uuid IS NULL",
            };
            let strays = format!(
                "SELECT a.org_id, a.lane, a.seq, a.id, a.ts FROM ONLY {name} AS a \
                 WHERE {organization} \
                   AND ($2 IS NULL OR a.ts >= $2) \
                   AND ($3 IS NULL OR a.ts < $3) \
                   AND NOT ({constraint})"
            );
            let values = [
                Value::Uuid(self.scope.organization),
                Value::Time(self.scope.since),
                Value::Time(self.scope.until),
            ];
            let report = &mut *self.report;
            self.reader.each(&strays, &values, |row| {
                report.tell(Finding {
                    ledger: row.uuid(0),
                    lane: row.int4(1),
                    seq: row.int8(2),
                    id: row.int8(3),
                    ts: row.time(4),
                    verdict: Verdict::Misplaced,
                    detail: format!("partition {name} is not the one for its ts"),
                });
                true
            });
        }
    }
}
