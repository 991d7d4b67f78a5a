//! Glue: altered entries and broken links, and where they come from.

use super::{Run, MOST_DOUBTS, MOST_SUSPECT_BYTES};
use crate::audits::chain::held::Ledger;
use crate::audits::verification::explanation::Suspect;
use crate::audits::verification::reader::{in_ledger, Value};
use crate::audits::verification::row::{Row, COLUMNS};
use crate::audits::verification::verdict::{Finding, Verdict};
use crate::audits::verification::walk;
use crate::audits::verification::walk::Break;

impl Run<'_> {
    /// Tells of altered entries past the number that is looked into.
    pub(super) fn tell_surplus(&mut self) {
        while self.doubts.altered.len() > MOST_DOUBTS {
            if let Some((ledger, lane, entry, false)) = self.doubts.altered.pop() {
                self.tell_altered(ledger, lane, &entry);
            }
        }
        while self.doubts.broken.len() > MOST_DOUBTS {
            if let Some((ledger, lane, between)) = self.doubts.broken.pop() {
                self.tell_hashed_anew(ledger, lane, &between);
            }
        }
    }

    /// Says what has become of altered entries and why links are broken.
    pub(super) fn explain(&mut self) {
        self.explain_altered();
        self.explain_broken();
    }

    pub(super) fn explain_altered(&mut self) {
        let altered = std::mem::take(&mut self.doubts.altered);
        if altered.is_empty() {
            return;
        }
        let mut suspects: Vec<Suspect> = Vec::new();
        let mut size = 0;
        for (ledger, lane, entry, _) in &altered {
            if let Some(suspect) = self.find_suspect(*ledger, *lane, entry) {
                size += suspect.size();
                if size > MOST_SUSPECT_BYTES {
                    break;
                }
                suspects.push(suspect);
            }
        }
        let mut lanes: Vec<(Ledger, i32)> = Vec::new();
        let sql = "SELECT l.org_id, l.lane FROM audits.lanes AS l LIMIT 10000";
        self.reader.each(sql, &[], |row| {
            lanes.extend(row.int4(1).map(|lane| (row.uuid(0), lane)));
            true
        });
        for (ledger, lane, entry, is_told) in &altered {
            let suspect = suspects.iter().find(|suspect| {
                suspect.place == (*ledger, *lane, entry.seq) && suspect.id == entry.id
            });
            let origin = suspect.and_then(|suspect| suspect.origin(&suspects, &lanes));
            match origin {
                None if *is_told => {}
                None => self.tell_altered(*ledger, *lane, entry),
                Some((other, of_lane, seq)) => {
                    let is_same_lane = (other, of_lane) == (*ledger, *lane);
                    let verdict = if is_same_lane {
                        Verdict::Reordered
                    } else {
                        Verdict::Misplaced
                    };
                    let place = self.name_place(*ledger, *lane, other, of_lane);
                    let detail = format!("it was made as entry {seq}{place}");
                    self.tell(*ledger, *lane, entry, verdict, detail);
                }
            }
        }
    }

    pub(super) fn find_suspect(
        &mut self,
        ledger: Ledger,
        lane: i32,
        entry: &walk::Entry,
    ) -> Option<Suspect> {
        let (condition, argument) = in_ledger(ledger);
        let sql = format!(
            "SELECT {COLUMNS} FROM audits.audit_log AS a \
             WHERE {condition} AND a.lane = $2 AND a.seq = $3 AND a.id = $4 LIMIT 1"
        );
        let values = [
            argument,
            Value::Int4(lane),
            Value::Int8(entry.seq),
            Value::Int8(entry.id),
        ];
        self.reader.first(&sql, &values, |record| {
            // SAFETY: the values are those of COLUMNS and live during the call.
            unsafe { Row::read(|place| record.get(place)) }.suspect()
        })
    }

    pub(super) fn explain_broken(&mut self) {
        let broken = std::mem::take(&mut self.doubts.broken);
        if broken.is_empty() {
            return;
        }
        let wanted: Vec<String> = broken
            .iter()
            .filter_map(|(_, _, between)| between.entry.prev_hash)
            .map(|hash| format!("'{}'", hex::encode(hash)))
            .collect();
        let sql = format!(
            "SELECT a.signature, a.org_id, a.lane, a.seq FROM audits.audit_log AS a WHERE a.signature IN ({})",
            wanted.join(", ")
        );
        let mut found = Vec::new();
        let mut rows = self.reader.spool(&sql, &[]);
        while let Some(row) = rows.next(|row| (row.hash(0), row.uuid(1), row.int4(2), row.int8(3)))
        {
            if found.len() < MOST_DOUBTS {
                found.push(row);
            }
        }
        for (ledger, lane, between) in &broken {
            let origin = found
                .iter()
                .find(|(signature, ..)| *signature == between.entry.prev_hash);
            match origin {
                Some((_, other, Some(of_lane), Some(seq))) => {
                    let is_same_lane = (*other, *of_lane) == (*ledger, *lane);
                    let verdict = if is_same_lane {
                        Verdict::Reordered
                    } else {
                        Verdict::Misplaced
                    };
                    let place = self.name_place(*ledger, *lane, *other, *of_lane);
                    let detail = format!("it continues entry {seq}{place}");
                    self.tell(*ledger, *lane, &between.entry, verdict, detail);
                }
                _ => self.tell_hashed_anew(*ledger, *lane, between),
            }
        }
    }

    /// Says in which other lane, but one organization does not hear of another.
    pub(super) fn name_place(
        &self,
        ledger: Ledger,
        lane: i32,
        other: Ledger,
        of_lane: i32,
    ) -> String {
        if (ledger, lane) == (other, of_lane) {
            return String::new();
        }
        match other {
            _ if ledger == other => format!(" of lane {of_lane}"),
            _ if self.scope.organization.is_some() => " of another ledger".to_owned(),
            Some(id) => format!(" of lane {of_lane} of organization {id}"),
            None => format!(" of lane {of_lane} of the platform's own ledger"),
        }
    }

    pub(super) fn tell_altered(&mut self, ledger: Ledger, lane: i32, entry: &walk::Entry) {
        let detail = match entry {
            walk::Entry {
                signature: None, ..
            } => "its signature is not a hash",
            walk::Entry {
                prev_hash: None, ..
            } => "its prev_hash is not a hash",
            walk::Entry { computed: None, .. } => "its content cannot be read",
            _ => "its signature is not the hash of its content",
        };
        self.tell(ledger, lane, entry, Verdict::Altered, detail.to_owned());
    }

    pub(super) fn tell_hashed_anew(&mut self, ledger: Ledger, lane: i32, between: &Break) {
        let detail = format!(
            "it was hashed anew: its signature is not the one that entry {} continues",
            between.entry.seq
        );
        self.tell(ledger, lane, &between.before, Verdict::Altered, detail);
    }

    pub(super) fn tell(
        &mut self,
        ledger: Ledger,
        lane: i32,
        entry: &walk::Entry,
        verdict: Verdict,
        detail: String,
    ) {
        self.report.tell(Finding {
            ledger,
            lane: Some(lane),
            seq: Some(entry.seq),
            id: Some(entry.id),
            ts: Some(entry.ts),
            verdict,
            detail,
        });
    }
}
