//! Brings what shared memory holds of API keys into the tables. Runs in the writer, as codeverify_owner.

use std::collections::HashSet;

use pgrx::prelude::*;
use serde_json::json;
use uuid::Uuid;

use super::memory::{slot_key, BUCKETS};
use super::minute::Usage;
use super::uses::{Report, REASONS, USES};
use crate::auth::outcomes::{record_failure, record_success, Outcome};
use crate::codeverify::query::{select, update};
use crate::codeverify::shared_memory::table::Changed;
use crate::codeverify::worker::step::{Batch, Round};
use crate::tenancy::sql::{from_datum, to_datum};

/// Keys that are written in one transaction.
const BATCH: usize = 1000;

/// Keys that are told of in one transaction; each is one entry of its organization's ledger, or a few.
const REPORTS: usize = 100;

/// When to try again what another transaction is in the way of, in microseconds.
const RETRY: i64 = 1_000_000;

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
        let due_at = uses.due_at();
        if is_last || due_at <= now {
            return Some(uses.report());
        }
        round.again_at(due_at);
        None
    });
    if changed.is_empty() {
        return None;
    }
    let more = changed.len() == REPORTS;
    let ids = ids(&changed);
    stamp(&changed);
    let existing = existing(&ids);
    for one in &changed {
        let id = Uuid::from_u128(one.id);
        // What happened to a key that is gone, or was never committed, belongs to no row.
        if existing.contains(&id) {
            tell(id, &one.value);
        }
    }
    Some(Batch {
        settle: Box::new(move || {
            for one in &changed {
                USES.with(slot_key(Uuid::from_u128(one.id)), |uses| {
                    uses.settle(&one.value, now)
                });
            }
            // SAFETY: a number that the process got when it connected.
            let database = unsafe { pg_sys::MyDatabaseId }.to_u32();
            USES.settle(database, changed.iter().map(|one| (one.id, one.version)));
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

fn tell(api_key_id: Uuid, report: &Report) {
    let outcome = |action, details| Outcome {
        action,
        org_id: Some(report.org_id),
        user_id: None,
        resource_id: Some(api_key_id),
        details,
        ip_address: None,
        user_agent: None,
    };
    if report.used > 0 {
        record_success(&outcome(
            "api_key.authenticated",
            json!({ "count": report.used }),
        ));
    }
    for (reason, count) in REASONS.iter().zip(report.refused) {
        if count > 0 {
            record_failure(&outcome(
                "api_key.refused",
                json!({ "reason": reason, "count": count }),
            ));
        }
    }
}
