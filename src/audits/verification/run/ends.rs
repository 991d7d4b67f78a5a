//! Glue: what the entries that are verified continue, and what continues them.

use super::{read_beyond, Beyond, Run};
use crate::audits::chain::held::{Head, Ledger};
use crate::audits::verification::known::Known;
use crate::audits::verification::reader::{in_ledger, Value};
use crate::audits::verification::tally::Tally;

impl Run<'_> {
    /// What the first of the entries that are verified must continue.
    pub(super) fn find_start(
        &mut self,
        ledger: Ledger,
        lane: i32,
        tally: Option<&Tally>,
        known: &Known,
    ) -> Head {
        let Some(since) = self.scope.since else {
            return known.archived;
        };
        let before_first = tally.and_then(|tally| tally.first.seq.checked_sub(1));
        if before_first.is_some_and(|seq| seq <= known.archived.seq) {
            return known.archived;
        }
        let neighbour = before_first
            .and_then(|seq| self.find_entry(ledger, lane, seq))
            .filter(|entry| entry.head.ts < since);
        neighbour
            .or_else(|| self.find_beside(ledger, lane, "a.ts < $3", "DESC", since))
            .map_or(known.archived, |entry| entry.head)
    }

    /// The first entry after those that are verified.
    pub(super) fn find_end(
        &mut self,
        ledger: Ledger,
        lane: i32,
        tally: Option<&Tally>,
        start: Head,
    ) -> Option<Beyond> {
        let until = self.scope.until?;
        let last = tally.map_or(start.seq, |tally| tally.last.seq);
        let neighbour = self
            .find_entry(ledger, lane, last.saturating_add(1))
            .filter(|entry| entry.head.ts >= until);
        neighbour.or_else(|| self.find_beside(ledger, lane, "a.ts >= $3", "ASC", until))
    }

    pub(super) fn find_entry(&mut self, ledger: Ledger, lane: i32, seq: i64) -> Option<Beyond> {
        let (condition, argument) = in_ledger(ledger);
        let sql = format!(
            "SELECT a.seq::int8, a.signature::text, a.ts::timestamptz, a.prev_hash::text \
             FROM audits.audit_log AS a WHERE {condition} AND a.lane = $2 AND a.seq = $3 LIMIT 1"
        );
        let values = [argument, Value::Int4(lane), Value::Int8(seq)];
        self.reader.first(&sql, &values, read_beyond).flatten()
    }

    pub(super) fn find_beside(
        &mut self,
        ledger: Ledger,
        lane: i32,
        time: &str,
        order: &str,
        limit: i64,
    ) -> Option<Beyond> {
        let (condition, argument) = in_ledger(ledger);
        let sql = format!(
            "SELECT a.seq::int8, a.signature::text, a.ts::timestamptz, a.prev_hash::text \
             FROM audits.audit_log AS a WHERE {condition} AND a.lane = $2 AND {time} \
             ORDER BY a.ts {order} LIMIT 1"
        );
        let values = [argument, Value::Int4(lane), Value::Time(Some(limit))];
        self.reader.first(&sql, &values, read_beyond).flatten()
    }
}
