//! Brings what shared memory holds of API keys into the tables. Runs in the writer, as codeverify_owner.

use std::collections::HashSet;

use serde_json::json;
use uuid::Uuid;

use super::memory::{slot_key, BUCKETS};
use super::minute::Usage;
use super::uses::{Report, REASONS, USES};
use crate::auth::outcomes::behind::{is_overdue, tell, Fate};
use crate::auth::outcomes::entry::Entry;
use crate::auth::outcomes::{count_dropped, Outcome};
use crate::codeverify::query::{select, update};
use crate::codeverify::shared_memory::table::Changed;
use crate::codeverify::time;
use crate::codeverify::worker::step::{Batch, Round};
use crate::codeverify::worker::RETRY;
use crate::tenancy::sql::{from_datum, to_datum};

/// Keys that are written in one transaction.
const BATCH: usize = 1000;

/// Keys that are told of in one transaction; each is one entry of its organization's ledger, or a few.
const REPORTS: usize = 100;

/// Writes counts to auth.api_key_rate_buckets, and removes old ones.
pub fn flush_buckets(round: &mut Round) -> Option<Batch> {
    remove_old_buckets();
    let changed = BUCKETS.collect(round.database, BATCH, |bucket| bucket.usages());
    if changed.is_empty() {
        return None;
    }
    let ids = ids(&changed);
    let held = hold(&ids);
    write_counts(&changed, &held);
    // A key that is not there was deleted, or is not committed: its next use makes it a change again. One that is
    // there and not held is being deleted, or changed in what others refer to.
    let busy: HashSet<Uuid> = existing(&ids).difference(&held).copied().collect();
    if !busy.is_empty() {
        round.again_at(round.now + RETRY);
    }
    let database = round.database;
    // What was not written would come again at once.
    let more = changed.len() == BATCH && busy.is_empty();
    Some(Batch {
        settle: Box::new(move || {
            let written = changed
                .iter()
                .filter(|one| !busy.contains(&Uuid::from_u128(one.id)));
            BUCKETS.settle(database, written.map(|one| (one.id, one.version)));
        }),
        more,
    })
}

fn ids<S>(changed: &[Changed<S>]) -> Vec<pgrx::Uuid> {
    changed
        .iter()
        .map(|one| to_datum(Uuid::from_u128(one.id)))
        .collect()
}

fn read_ids(rows: pgrx::spi::SpiTupleTable) -> pgrx::spi::Result<HashSet<Uuid>> {
    let mut found = HashSet::new();
    for row in rows {
        found.extend(row.get::<pgrx::Uuid>(1)?.map(from_datum));
    }
    Ok(found)
}

/// Keys that stay until this transaction has ended; without waiting for those that another one holds.
fn hold(ids: &[pgrx::Uuid]) -> HashSet<Uuid> {
    update(
        "SELECT id FROM auth.api_keys WHERE id = ANY ($1) FOR KEY SHARE SKIP LOCKED",
        &[ids.to_vec().into()],
        read_ids,
    )
}

fn existing(ids: &[pgrx::Uuid]) -> HashSet<Uuid> {
    select(
        "SELECT id FROM auth.api_keys WHERE id = ANY ($1)",
        &[ids.to_vec().into()],
        read_ids,
    )
}

fn write_counts(changed: &[Changed<[Usage; 2]>], held: &HashSet<Uuid>) {
    let mut ids = Vec::new();
    let mut minutes = Vec::new();
    let mut counts = Vec::new();
    for one in changed {
        let id = Uuid::from_u128(one.id);
        for usage in one.value {
            if usage.count > 0 && held.contains(&id) {
                ids.push(to_datum(id));
                minutes.push(i64::from(usage.minute));
                counts.push(i32::try_from(usage.count).unwrap_or(i32::MAX));
            }
        }
    }
    if ids.is_empty() {
        return;
    }
    update(
        "INSERT INTO auth.api_key_rate_buckets AS b (api_key_id, window_start, count, org_id) \
         SELECT k.id, timestamptz '2000-01-01 00:00:00+00' + u.minute * interval '1 minute', u.count, k.org_id \
         FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2), pg_catalog.unnest($3)) AS u (api_key_id, minute, count) \
         JOIN auth.api_keys AS k ON k.id = u.api_key_id \
         ORDER BY k.id, u.minute \
         ON CONFLICT (api_key_id, window_start) DO UPDATE \
         SET count = excluded.count \
         WHERE b.count < excluded.count",
        &[ids.into(), minutes.into(), counts.into()],
        |_| Ok(()),
    );
}

/// Some of what nobody asks for any more.
fn remove_old_buckets() {
    update(
        "DELETE FROM auth.api_key_rate_buckets \
         WHERE ctid = ANY (ARRAY( \
             SELECT ctid FROM auth.api_key_rate_buckets \
             WHERE window_start < pg_catalog.now() - interval '1 day' \
             ORDER BY window_start LIMIT 1000 FOR UPDATE SKIP LOCKED))",
        &[],
        |_| Ok(()),
    );
}

/// Writes when keys were last used, and tells the ledger how often they were used and refused.
pub fn report_uses(round: &mut Round) -> Option<Batch> {
    let (now, is_last) = (round.now, round.is_last);
    let changed = USES.collect_due(round.database, REPORTS, |uses| {
        let report = uses.report();
        let due_at = if round.is_busy(Some(report.org_id)) && !is_overdue(report.waits_for(now)) {
            now + RETRY
        } else {
            uses.due_at(now)
        };
        if is_last || due_at <= now {
            return Some(report);
        }
        round.again_at(due_at);
        None
    });
    if changed.is_empty() {
        return None;
    }
    let mut more = changed.len() == REPORTS;
    let existing = existing(&ids(&changed));
    let busy_before = round.busy_ledgers();
    let mut told = Vec::with_capacity(changed.len());
    let mut dropped = 0;
    for one in changed {
        let id = Uuid::from_u128(one.id);
        // What happened to a key that is gone, or was never committed, belongs to no row.
        let entries = if existing.contains(&id) {
            entries(id, &one.value)
        } else {
            Vec::new()
        };
        match tell(round, &entries, one.value.waits_for(now)) {
            Fate::Settled => told.push(one),
            Fate::Dropped => {
                dropped += entries.len();
                told.push(one);
            }
            Fate::Left => {
                USES.with(slot_key(id), |uses| uses.note_busy(now));
            }
        }
        // Lanes of other ledgers are not held any longer than that takes.
        if round.busy_ledgers() > busy_before {
            more = true;
            break;
        }
    }
    stamp(&told);
    let database = round.database;
    Some(Batch {
        settle: Box::new(move || {
            count_dropped(database, dropped);
            for one in &told {
                USES.with(slot_key(Uuid::from_u128(one.id)), |uses| {
                    uses.settle(&one.value, now)
                });
            }
            USES.settle(database, told.iter().map(|one| (one.id, one.version)));
        }),
        more,
    })
}

/// Renews last_used_at, but not where another transaction holds the key: its next use renews it.
fn stamp(changed: &[Changed<Report>]) {
    let (ids, times): (Vec<pgrx::Uuid>, Vec<i64>) = changed
        .iter()
        .filter_map(|one| Some((to_datum(Uuid::from_u128(one.id)), one.value.last_used_at?)))
        .unzip();
    if ids.is_empty() {
        return;
    }
    update(
        "WITH free AS MATERIALIZED ( \
             SELECT id FROM auth.api_keys WHERE id = ANY ($1) FOR NO KEY UPDATE SKIP LOCKED) \
         UPDATE auth.api_keys AS k \
         SET last_used_at = u.last_used_at \
         FROM free \
         JOIN (SELECT u.id, timestamptz '2000-01-01 00:00:00+00' + u.at * interval '1 microsecond' \
               FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2)) AS u (id, at)) AS u (id, last_used_at) ON u.id = free.id \
         WHERE k.id = free.id AND (k.last_used_at IS NULL OR k.last_used_at < u.last_used_at)",
        &[ids.into(), times.into()],
        |_| Ok(()),
    );
}

/// What the ledger is told of a key. They are written in the transaction of the batch: told apart from it they would be
/// told again when the batch is repeated.
fn entries(api_key_id: Uuid, report: &Report) -> Vec<Entry> {
    let outcome = |action, details| Outcome {
        action,
        org_id: Some(report.org_id),
        user_id: None,
        resource_id: Some(api_key_id),
        details,
        ip_address: None,
        user_agent: None,
    };
    let at = time::now();
    let used = (report.used > 0).then(|| {
        let details = json!({ "count": report.used });
        Entry::new(&outcome("api_key.authenticated", details), true, at)
    });
    let refused = REASONS
        .iter()
        .zip(report.refused)
        .filter(|(_, count)| *count > 0)
        .map(|(reason, count)| {
            let details = json!({ "reason": reason, "count": count });
            Entry::new(&outcome("api_key.refused", details), false, at)
        });
    used.into_iter().chain(refused).collect()
}
