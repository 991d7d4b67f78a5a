//! Glue: holds the tables of retention locks and of people's keys to what the platform's ledger recorded of them.

use std::collections::HashSet;

use serde_json::Value as Json;
use uuid::Uuid;

use super::Run;
use crate::audits::archives::reading;
use crate::audits::archives::stored::{Scope, Span};
use crate::audits::erasure::keys::{find_by_id, Found};
use crate::audits::erasure::verification::KeyCheck;
use crate::audits::verification::reader::Reader;
use crate::audits::verification::verdict::{Finding, Report, Verdict};

const LOCKED: (&str, &str) = ("audits.audit_log", "retention.locked");
const ERASED: (&str, &str) = ("audits.subject_keys", "subject.erased");
const READMITTED: (&str, &str) = ("audits.subject_keys", "subject.readmitted");

/// The locks, as the entries write their times.
const LOCKS: &str = "SELECT CASE WHEN isfinite(r.locked_until) \
            THEN (to_jsonb(r.locked_until AT TIME ZONE 'UTC') #>> '{}') || '+00:00' \
            ELSE r.locked_until::text END, \
        r.created_at \
    FROM audits.retention_locks AS r";

/// The keys of everybody who was ever erased.
const KEYS: &str = "SELECT k.id, k.subject_id, k.key IS NULL, coalesce(k.erased_at, k.created_at) \
    FROM (SELECT DISTINCT t.subject_id FROM audits.subject_keys AS t WHERE t.key IS NULL) AS t \
    JOIN audits.subject_keys AS k ON k.subject_id = t.subject_id";

/// An entry about one of the tables.
struct Recorded {
    lane: Option<i32>,
    seq: Option<i64>,
    id: Option<i64>,
    ts: i64,
    subject: Option<Uuid>,
    payload: Json,
}

impl Recorded {
    fn finding(&self, verdict: Verdict, detail: String) -> Finding {
        Finding {
            ledger: None,
            lane: self.lane,
            seq: self.seq,
            id: self.id,
            ts: Some(self.ts),
            verdict,
            detail,
        }
    }

    fn until(&self) -> &str {
        self.payload["until"].as_str().unwrap_or_default()
    }

    fn keys(&self) -> impl Iterator<Item = Uuid> + '_ {
        let keys = self.payload["keys"].as_array();
        keys.into_iter()
            .flatten()
            .filter_map(|key| Uuid::parse_str(key.as_str()?).ok())
    }
}

/// The tables, and what entries have been seen of them.
struct Comparison {
    locks: Vec<(String, i64)>,
    keys: Option<KeyCheck>,
    told_locks: HashSet<String>,
    told_erased: HashSet<Uuid>,
    told_readmitted: HashSet<Uuid>,
}

impl Run<'_> {
    /// Tells of locks and keys that were changed otherwise than by the functions that record it. What was archived, and rows
    /// without an entry, are looked for only when everything is verified.
    pub(super) fn check_records(&mut self) {
        let mut comparison = Comparison {
            locks: read_locks(self.reader),
            keys: KeyCheck::load(),
            told_locks: HashSet::new(),
            told_erased: HashSet::new(),
            told_readmitted: HashSet::new(),
        };
        let report = &mut *self.report;
        let sql =
            "SELECT a.lane, a.seq, a.id, a.ts, a.resource_id, a.payload::text, a.entity, a.action \
            FROM audits.audit_log AS a \
            WHERE a.org_id IS NULL \
              AND a.action IN ('retention.locked', 'subject.erased', 'subject.readmitted')";
        self.reader.each(sql, &[], |row| {
            let recorded = Recorded {
                lane: row.int4(0),
                seq: row.int8(1),
                id: row.int8(2),
                ts: row.time(3).unwrap_or_default(),
                subject: row.uuid(4),
                payload: parse(row.text(5).unwrap_or_default()),
            };
            let kind = (
                row.text(6).unwrap_or_default(),
                row.text(7).unwrap_or_default(),
            );
            comparison.take(kind, &recorded, report);
            true
        });
        if self.scope.since_verified.is_some() {
            return;
        }
        for entry in reading::read(Scope::Ledger(None), Span::default()) {
            // A damaged segment is told of by itself. What it records is unknown.
            let Ok(entry) = entry else { return };
            let kind = (entry.entity.as_deref().unwrap_or_default(), &*entry.action);
            if ![LOCKED, ERASED, READMITTED].contains(&kind) {
                continue;
            }
            let recorded = Recorded {
                lane: Some(entry.lane),
                seq: Some(entry.seq),
                id: Some(entry.id),
                ts: entry.ts,
                subject: entry.resource_id,
                payload: parse(&entry.payload),
            };
            comparison.take(kind, &recorded, report);
        }
        comparison.tell_unrecorded(self.reader, report);
    }
}

impl Comparison {
    fn take(&mut self, kind: (&str, &str), recorded: &Recorded, report: &mut dyn Report) {
        match kind {
            LOCKED => {
                let until = recorded.until();
                if !self.locks.iter().any(|(lock, _)| lock == until) {
                    let detail = format!("the retention lock until {until} is gone");
                    report.tell(recorded.finding(Verdict::Missing, detail));
                }
                self.told_locks.insert(until.to_owned());
            }
            ERASED => {
                for key in recorded.keys() {
                    if let Some((verdict, detail)) = self.contradiction(recorded, key) {
                        report.tell(recorded.finding(verdict, detail));
                    }
                    self.told_erased.insert(key);
                }
            }
            READMITTED => self.told_readmitted.extend(recorded.keys()),
            _ => {}
        }
    }

    /// What of a key contradicts that it was erased.
    fn contradiction(&self, recorded: &Recorded, key: Uuid) -> Option<(Verdict, String)> {
        let subject = recorded.subject.unwrap_or_default();
        let is_left_out = self
            .keys
            .as_ref()
            .is_none_or(|keys| keys.is_left_out(recorded.ts));
        match find_by_id(key, subject) {
            Found::Erased => None,
            Found::Key(_) => Some((
                Verdict::Altered,
                format!("the key of {subject} that was erased is there again"),
            )),
            Found::Nothing if is_left_out => Some((
                Verdict::Erased,
                format!("that {subject} was erased is older than all keys that there are"),
            )),
            Found::Nothing => Some((
                Verdict::Missing,
                format!("that {subject} was erased is gone from audits.subject_keys"),
            )),
        }
    }

    /// Rows that no entry tells of. Where a pruned archive may have had it, none is missed.
    fn tell_unrecorded(&self, reader: &mut Reader, report: &mut dyn Report) {
        let pruned = reader.first(
            "SELECT max(a.until_ts) FROM audits.archives AS a WHERE a.pruned_at IS NOT NULL",
            &[],
            |row| row.time(0),
        );
        let pruned = pruned.flatten().unwrap_or(i64::MIN);
        for (until, since) in &self.locks {
            if *since >= pruned && !self.told_locks.contains(until) {
                report.tell(unrecorded(
                    Verdict::Altered,
                    format!("the ledger has no entry about the retention lock until {until}"),
                ));
            }
        }
        reader.each(KEYS, &[], |row| {
            let (Some(key), Some(subject), Some(since)) = (row.uuid(0), row.uuid(1), row.time(3))
            else {
                return true;
            };
            let is_erased = row.boolean(2) == Some(true);
            let told = if is_erased {
                &self.told_erased
            } else {
                &self.told_readmitted
            };
            if since < pruned || told.contains(&key) {
                return true;
            }
            report.tell(if is_erased {
                unrecorded(
                    Verdict::Missing,
                    format!("the key of {subject} is gone, and the ledger has no entry about its erasure"),
                )
            } else {
                unrecorded(
                    Verdict::Altered,
                    format!("{subject} was erased, and has a key that the ledger has no entry about"),
                )
            });
            true
        });
    }
}

fn read_locks(reader: &mut Reader) -> Vec<(String, i64)> {
    let mut locks = Vec::new();
    reader.each(LOCKS, &[], |row| {
        if let (Some(until), Some(since)) = (row.text(0), row.time(1)) {
            locks.push((until.to_owned(), since));
        }
        true
    });
    locks
}

fn unrecorded(verdict: Verdict, detail: String) -> Finding {
    Finding {
        ledger: None,
        lane: None,
        seq: None,
        id: None,
        ts: None,
        verdict,
        detail,
    }
}

fn parse(payload: &str) -> Json {
    serde_json::from_str(payload).unwrap_or_default()
}
