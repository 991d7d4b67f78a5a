//! Functions of schema audits; their comments and grants are in sql/audits/verification.sql.

use std::time::Instant;

use pgrx::pg_sys::{self, Datum, FunctionCallInfo};
use pgrx::prelude::*;
use pgrx::JsonB;
use serde_json::{json, Map, Value};
use uuid::Uuid;

use super::report::{Counts, ResultRows};
use super::row::read_uuid;
use super::run::{self, Scope, Verified};
use super::tally::Key;
use crate::audits::checkpoints::store;
use crate::audits::encoding::unix_micros;
use crate::codeverify::errors::Error;
use crate::codeverify::owner::{as_owner, caller_has_role};
use crate::codeverify::query::{select_one, update};
use crate::codeverify::raise::or_raise;
use crate::tenancy::context::require_permission;
use crate::tenancy::permission::Permission;
use crate::tenancy::sql::to_datum;

extension_sql_file!(
    "../../../sql/audits/verification.sql",
    name = "audits_verification",
    requires = [verify]
);

/// Lanes whose verified points are stored with one statement.
const BATCH: usize = 1_000;

/// audits.verify_chain(org_id uuid, since timestamptz, until timestamptz). Written against the server's own interface,
/// because pgrx would keep all rows of the result in memory.
///
/// # Safety
/// Called by the server.
#[no_mangle]
#[pg_guard]
pub unsafe extern "C-unwind" fn codeverify_verify_chain(call: FunctionCallInfo) -> Datum {
    // SAFETY: the arguments are those of the SQL declaration; the call lasts as long as this function.
    unsafe {
        let argument = |place: usize| {
            let argument = *(*call).args.as_ptr().add(place);
            (!argument.isnull).then_some(argument.value)
        };
        let time = |place| argument(place).map(|datum| unix_micros(datum.value() as i64));
        let scope = Scope {
            organization: or_raise(choose_ledgers(argument(0).map(|datum| read_uuid(datum)))),
            since: time(1),
            until: time(2),
            since_verified: None,
        };
        // Checkpoints are verified with everything else only.
        let keys = if scope.is_everything() {
            or_raise(store::keys())
        } else {
            None
        };
        let mut rows = ResultRows::new(call);
        // Between a time and an earlier one there is nothing.
        let is_empty = scope
            .since
            .zip(scope.until)
            .is_some_and(|(since, until)| since > until);
        if !is_empty {
            run::verify(
                scope,
                or_raise(random_key()),
                keys.as_ref(),
                &mut rows,
                &mut |_| {},
            );
        }
    }
    Datum::null()
}

/// The server looks this up beside the function to learn how to call it.
#[no_mangle]
pub extern "C-unwind" fn pg_finfo_codeverify_verify_chain() -> &'static pg_sys::Pg_finfo_record {
    &pg_sys::Pg_finfo_record { api_version: 1 }
}

/// Whose ledgers are verified: auditors and administrators say; others verify that of the context.
fn choose_ledgers(asked: Option<Uuid>) -> Result<Option<Uuid>, Error> {
    if caller_has_role(c"codeverify_auditor") || caller_has_role(c"codeverify_admin") {
        return Ok(asked);
    }
    let own = require_permission(Permission::Read)?;
    match asked {
        Some(other) if other != own => Err(Error::LedgerNotYours),
        _ => Ok(Some(own)),
    }
}

fn random_key() -> Result<Key, Error> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|_| Error::NoRandomness)?;
    let (high, low) = Uuid::from_bytes(bytes).as_u64_pair();
    Ok((high, low))
}

#[pg_extern(schema = "audits", volatile, parallel_unsafe)]
fn verify(incremental: default!(bool, "true")) -> JsonB {
    // Before hours of work, not after.
    // SAFETY: raises an error or does nothing.
    unsafe { pg_sys::PreventCommandIfReadOnly(c"audits.verify()".as_ptr()) };
    let began = Instant::now();
    let keys = or_raise(store::keys());
    let since_verified = as_owner(verified_tree_size).filter(|_| incremental);
    let mut counts = Counts::default();
    let mut points = Points::default();
    let scope = Scope {
        organization: None,
        since: None,
        until: None,
        since_verified,
    };
    let outcome = run::verify(
        scope,
        or_raise(random_key()),
        keys.as_ref(),
        &mut counts,
        &mut |verified| points.add(verified),
    );
    points.store();

    let verdict = if counts.is_intact() {
        "intact"
    } else {
        "broken"
    };
    let found: Map<String, Value> = counts
        .iter()
        .map(|(verdict, count)| (verdict.name().to_owned(), json!(count)))
        .collect();
    let first = counts.first.as_ref().map(|finding| {
        json!({
            "org_id": finding.ledger.map(|id| id.to_string()),
            "lane": finding.lane,
            "seq": finding.seq,
            "id": finding.id,
            "verdict": finding.verdict.name(),
            "detail": finding.detail,
        })
    });
    let result = json!({
        "verdict": verdict,
        "incremental": since_verified.is_some(),
        "entries": outcome.entries,
        "lanes": outcome.lanes,
        "tree_size": outcome.tree_size,
        "findings": found,
        "first": first,
        "seconds": began.elapsed().as_secs_f64(),
    });
    as_owner(|| {
        update(
            "INSERT INTO audits.verifications \
                 (is_incremental, verdict, entries, lanes, tree_size, findings, first_finding, duration) \
             SELECT (r.result ->> 'incremental')::boolean, r.result ->> 'verdict', (r.result ->> 'entries')::bigint, \
                 (r.result ->> 'lanes')::bigint, (r.result ->> 'tree_size')::bigint, r.result -> 'findings', nullif(r.result -> 'first', 'null'), \
                 (r.result ->> 'seconds')::float8 * interval '1 second' \
             FROM (VALUES ($1)) AS r (result)",
            &[JsonB(result.clone()).into()],
            |_| Ok(()),
        );
    });
    JsonB(result)
}

/// How large the tree was when the ledger was last found intact; None when it never was.
fn verified_tree_size() -> Option<u64> {
    select_one::<i64>(
        "SELECT max(v.tree_size) FROM audits.verifications AS v WHERE v.verdict = 'intact'",
        &[],
    )
    .map(store::size)
}

/// How far lanes are intact, on its way into audits.lanes.
#[derive(Default)]
struct Points(Vec<Verified>);

impl Points {
    fn add(&mut self, verified: Verified) {
        if verified.head.seq > 0 {
            self.0.push(verified);
        }
        if self.0.len() >= BATCH {
            self.store();
        }
    }

    fn store(&mut self) {
        let points = std::mem::take(&mut self.0);
        as_owner(|| {
            update(
                "INSERT INTO audits.lanes AS l (org_id, lane, verified_seq, verified_signature, verified_ts) \
                 SELECT n.org_id, n.lane, n.seq, n.signature, \
                     '1970-01-01 00:00+00'::timestamptz + n.ts * interval '1 microsecond' \
                 FROM ROWS FROM ( \
                     pg_catalog.unnest($1::uuid[]), pg_catalog.unnest($2::int[]), pg_catalog.unnest($3::bigint[]), \
                     pg_catalog.unnest($4::text[]), pg_catalog.unnest($5::bigint[])) \
                     AS n (org_id, lane, seq, signature, ts) \
                 ON CONFLICT ON CONSTRAINT lanes_org_id_lane_key DO UPDATE \
                 SET verified_seq = excluded.verified_seq, \
                     verified_signature = excluded.verified_signature, \
                     verified_ts = excluded.verified_ts \
                 WHERE l.verified_seq < excluded.verified_seq",
                &[
                    points.iter().map(|point| point.ledger.map(to_datum)).collect::<Vec<_>>().into(),
                    points.iter().map(|point| point.lane).collect::<Vec<_>>().into(),
                    points.iter().map(|point| point.head.seq).collect::<Vec<_>>().into(),
                    points.iter().map(|point| hex::encode(point.head.signature)).collect::<Vec<_>>().into(),
                    points.iter().map(|point| point.head.ts).collect::<Vec<_>>().into(),
                ],
                |_| Ok(()),
            );
        });
    }
}
