//! The trigger BEFORE INSERT on audit_log: chains new entries, verifies those that arrive with hashes.

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::pg_sys::{self, Datum};
use pgrx::{PgLogLevel, PgSqlErrorCode};

use super::columns::{Column, NewRow};
use super::held::{Head, Ledger};
use super::ledger::{find_archived_head, find_entry, is_same_partition, POSTGRES_EPOCH};
use super::{lane, references, time};
use crate::audits::authority::{is_acting, Deed};
use crate::audits::encoding::sql::or_raise;
use crate::audits::encoding::{Entry, Hash, GENESIS};
use crate::audits::erasure::sealing;
use crate::audits::settings::MAX_LANES;
use crate::codeverify::errors::Error;
use crate::codeverify::index_lookup::Table;
use crate::codeverify::owner::{has_role, OWNER_ROLE};
use crate::codeverify::raise::{self, raise};

/// Actions that only the capture of changes writes.
const RESERVED_ACTIONS: [&str; 2] = ["row.", "table."];

/// Entities that only the ledger's own functions write about, in the platform's ledger.
const RESERVED_ENTITIES: &str = "audits.";

/// In microseconds.
const DAY: i64 = 86_400_000_000;

/// The row to insert instead of the one that came.
pub fn complete(row: NewRow) -> pg_sys::HeapTuple {
    match (row.datum(Column::Signature), row.datum(Column::PrevHash)) {
        (None, None) => append(row),
        (Some(_), Some(_)) => arrive(row),
        _ => raise(Error::LedgerColumns {
            column: "signature and prev_hash",
        }),
    }
}

/// Refuses the actions that tell of captured changes.
pub fn check_action(action: &str) -> Result<(), Error> {
    // What a reader would take for one is reserved as well.
    let begins_with = |start: &&str| {
        let shown = action.bytes().filter(u8::is_ascii_graphic);
        let folded = shown.map(|byte| byte.to_ascii_lowercase());
        folded.take(start.len()).eq(start.bytes())
    };
    if RESERVED_ACTIONS.iter().any(begins_with) {
        return Err(Error::ReservedAction {
            action: action.to_owned(),
        });
    }
    Ok(())
}

/// Refuses what only the ledger says of itself, in the platform's ledger, to all but its owner: verification believes it.
pub fn check_entity(ledger: Ledger, entity: Option<&str>, role: pg_sys::Oid) -> Result<(), Error> {
    match entity.filter(|entity| ledger.is_none() && entity.starts_with(RESERVED_ENTITIES)) {
        Some(entity) if !has_role(role, OWNER_ROLE) => Err(Error::ReservedEntity {
            entity: entity.to_owned(),
        }),
        _ => Ok(()),
    }
}

/// Puts a new entry at the end of a lane.
fn append(mut row: NewRow) -> pg_sys::HeapTuple {
    for (column, name) in [(Column::Lane, "lane"), (Column::Seq, "seq")] {
        if row.datum(column).is_some() {
            raise(Error::LedgerColumns { column: name });
        }
    }
    for (column, name) in [
        (Column::Id, "id"),
        (Column::EventId, "event_id"),
        (Column::Ts, "ts"),
        (Column::Action, "action"),
        (Column::Payload, "payload"),
    ] {
        if row.datum(column).is_none() {
            refuse_null(name);
        }
    }
    let captures = is_acting(Deed::Capture);
    if !captures {
        raise::or_raise(check_action(row.text(Column::Action).unwrap_or_default()));
    }
    let ledger: Ledger = row.uuid(Column::OrgId);
    if !captures {
        // SAFETY: the role that the insert runs as.
        let role = unsafe { pg_sys::GetUserId() };
        raise::or_raise(check_entity(ledger, row.text(Column::Entity), role));
        references::check(ledger, row.uuid(Column::ActorId));
    }

    if let Some(sealed) = seal(&row) {
        row.set(Column::Payload, sealed);
    }

    let Some(given) = row.time(Column::Ts) else {
        raise(Error::LedgerColumns { column: "ts" })
    };
    let Some((lane, last, ts)) = take_place(row.partition(), ledger, given) else {
        raise(Error::LedgerColumns { column: "ts" })
    };
    let seq = last.seq + 1;
    let signature = hash(&row, lane, seq, last.signature, ts);
    lane::advance(row.partition(), ledger, lane, Head { seq, signature, ts });

    row.set_hash(Column::Signature, &signature);
    row.set_hash(Column::PrevHash, &last.signature);
    row.set_time(Column::Ts, ts);
    row.set(Column::Lane, Datum::from(lane));
    row.set(Column::Seq, Datum::from(seq));
    row.finish()
}

/// A lane, its last entry, and the time of the next. That time lies in the partition that `given`, the column's default,
/// has sent the row to, which may have ended since; None for a `given` that is no default's.
fn take_place(partition: Table, ledger: Ledger, given: i64) -> Option<(i32, Head, i64)> {
    let (lane, last) = lane::take_any(partition, ledger);
    let clock = now();
    let fits = |ts: i64| ts == given || is_same_partition(given, ts);
    let ts = time::choose(given, clock, last.ts);
    if fits(ts) {
        return Some((lane, last, ts));
    }
    // SAFETY: a look at this backend's own state.
    let start = unsafe { pg_sys::GetCurrentStatementStartTimestamp() };
    let start = start.saturating_add(POSTGRES_EPOCH);
    let earlier =
        |last: Head| time::choose_earlier(given, clock, start, last.ts).filter(|ts| fits(*ts));
    if let Some(ts) = earlier(last) {
        return Some((lane, last, ts));
    }
    // The lane that it waited for has gone on to the next partition; a lane's times rise, so it goes to another.
    time::choose_earlier(given, clock, start, i64::MIN)?;
    let (lane, last) = lane::take_fitting(partition, ledger, |head| earlier(head).is_some())?;
    Some((lane, last, earlier(last)?))
}

fn now() -> i64 {
    // SAFETY: reads the clock.
    unsafe { pg_sys::GetCurrentTimestamp() }.saturating_add(POSTGRES_EPOCH)
}

/// As the NOT NULL constraint would, but without the row, which may hold what is about to be encrypted.
fn refuse_null(column: &str) -> ! {
    ErrorReport::new(
        PgSqlErrorCode::ERRCODE_NOT_NULL_VIOLATION,
        format!(
            "null value in column \"{column}\" of relation \"audit_log\" violates not-null constraint"
        ),
        "codeverify",
    )
    .report(PgLogLevel::ERROR);
    unreachable!("an ERROR report does not return")
}

/// The payload with its personal fields encrypted; None when it has none.
fn seal(row: &NewRow) -> Option<Datum> {
    let stored = row.datum(Column::Payload)?;
    let content = row.jsonb(Column::Payload)?;
    let entity = row.text(Column::Entity);
    let is_personal = sealing::may_be_personal(content, entity);
    let is_encrypted = sealing::may_be_encrypted(content);
    if !is_personal && !is_encrypted {
        return None;
    }
    let entry = sealing::Entry {
        org_id: row.uuid(Column::OrgId),
        event_id: row.uuid(Column::EventId)?,
        entity,
        actor_id: row.uuid(Column::ActorId),
        resource_id: row.uuid(Column::ResourceId),
    };
    if is_encrypted {
        sealing::refuse_forged(stored, &entry);
    }
    is_personal.then(|| sealing::seal(stored, &entry)).flatten()
}

/// Lets an entry in that has its place and its hashes already: from a dump or another server.
fn arrive(row: NewRow) -> pg_sys::HeapTuple {
    let ledger: Ledger = row.uuid(Column::OrgId);
    let incomplete = |column| -> ! { raise(Error::IncompleteArrival { column }) };
    let Some(lane) = row
        .int4(Column::Lane)
        .filter(|lane| (0..MAX_LANES).contains(lane))
    else {
        incomplete("lane")
    };
    // The lane must be able to go on.
    let Some(seq) = row
        .int8(Column::Seq)
        .filter(|seq| (1..i64::MAX / 2).contains(seq))
    else {
        incomplete("seq")
    };
    let Some(ts) = row.time(Column::Ts) else {
        incomplete("ts")
    };
    for (column, name) in [
        (Column::Id, "id"),
        (Column::EventId, "event_id"),
        (Column::Action, "action"),
        (Column::Payload, "payload"),
    ] {
        if row.datum(column).is_none() {
            incomplete(name);
        }
    }
    let mismatch = |field| -> ! { raise(Error::ChainMismatch { field, lane, seq }) };
    let Some(prev_hash) = row.hash(Column::PrevHash) else {
        mismatch("prev_hash")
    };
    let signature = hash(&row, lane, seq, prev_hash, ts);
    if row.hash(Column::Signature) != Some(signature) {
        mismatch("signature");
    }

    // From a server whose clock is a little ahead, but not from a time that appends would have to wait for.
    if ts > now().saturating_add(DAY) {
        mismatch("ts");
    }

    let last = lane::take(row.partition(), ledger, lane);
    if seq == 1 && prev_hash != GENESIS {
        mismatch("prev_hash");
    }
    // Later entries have later times: that is how a lane's last one is found.
    if last.seq > 0 && seq != last.seq && (seq > last.seq) != (ts > last.ts) {
        mismatch("ts");
    }
    if seq == last.seq + 1 {
        if prev_hash != last.signature {
            mismatch("prev_hash");
        }
    } else {
        check_neighbours(
            row.partition(),
            ledger,
            lane,
            seq,
            prev_hash,
            signature,
            last,
        );
    }
    if seq > last.seq {
        lane::advance(row.partition(), ledger, lane, Head { seq, signature, ts });
    }
    row.finish()
}

/// An entry that does not come right after the lane's last one: its neighbours, where they are there, must fit.
/// A gap is let in, because rows may come in any order; verification tells of one that stays.
fn check_neighbours(
    partition: Table,
    ledger: Ledger,
    lane: i32,
    seq: i64,
    prev_hash: Hash,
    signature: Hash,
    last: Head,
) {
    let mismatch = |field| -> ! { raise(Error::ChainMismatch { field, lane, seq }) };
    let archived = find_archived_head(ledger, lane).unwrap_or(Head::NONE);
    if seq <= archived.seq
        || (seq <= last.seq && find_entry(partition, ledger, lane, seq).is_some())
    {
        raise(Error::EntryExists { lane, seq });
    }
    let predecessor = if seq - 1 == archived.seq {
        Some(archived.signature)
    } else {
        find_entry(partition, ledger, lane, seq - 1).map(|entry| entry.head.signature)
    };
    if seq > 1 && predecessor.is_some_and(|signature| signature != prev_hash) {
        mismatch("prev_hash");
    }
    let successor = (seq < last.seq)
        .then(|| find_entry(partition, ledger, lane, seq + 1))
        .flatten();
    if successor.is_some_and(|entry| entry.prev_hash != signature) {
        mismatch("signature");
    }
}

fn hash(row: &NewRow, lane: i32, seq: i64, prev_hash: Hash, ts: i64) -> Hash {
    or_raise(
        Entry {
            org_id: row.uuid(Column::OrgId),
            lane,
            seq,
            prev_hash,
            id: row.int8(Column::Id).unwrap_or_default(),
            event_id: row.uuid(Column::EventId).unwrap_or_default(),
            ts,
            entity: row.text(Column::Entity),
            action: row.text(Column::Action).unwrap_or_default(),
            actor_id: row.uuid(Column::ActorId),
            resource_id: row.uuid(Column::ResourceId),
            payload: row.jsonb(Column::Payload).unwrap_or_default(),
            ip_address: row.text(Column::IpAddress),
            user_agent: row.text(Column::UserAgent),
        }
        .leaf_hash(),
    )
}
