//! Takes a lane for the transaction: the lock that only one writer has, from its first entry until it ends.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};
use std::ffi::c_void;

use pgrx::pg_sys;

use super::held::{Head, HeldLanes, Landing, Ledger};
use super::landing;
use super::ledger::{self, audit_log, find_head, is_registered};
use crate::audits::settings;
use crate::codeverify::index_lookup::Table;
use crate::codeverify::owner::{as_owner, has_role, OWNER_ROLE};
use crate::codeverify::query::update;
use crate::codeverify::server::backend_number;
use crate::codeverify::user_lock::{self, Purpose};
use crate::tenancy::sql::to_datum;

/// Locks are in shared memory, some 6,400 of them by default and for all sessions. A transaction that needs
/// more lanes than this keeps other writers away altogether.
const MOST_LANE_LOCKS: usize = 1_000;

/// How many lanes a backend keeps in mind from one transaction to the next.
const MOST_KNOWN: usize = 1_000;

thread_local! {
    static HELD: RefCell<HeldLanes> = RefCell::default();
    /// Lanes that are in audits.lanes, as seen when no transaction of ours could still take that back.
    static REGISTERED: RefCell<HashSet<(Ledger, i32)>> = RefCell::default();
    /// The last seq that this backend has committed in a lane: where to start looking for the lane's end.
    static KNOWN: RefCell<HashMap<(Ledger, i32), i64>> = RefCell::default();
    static HAS_CALLBACKS: Cell<bool> = const { Cell::new(false) };
}

/// The lane that the transaction's entries in a ledger go to, and its last entry.
pub fn take_any(partition: Table, ledger: Ledger) -> (i32, Head) {
    let current = HELD.with_borrow(|held| held.current_lane(ledger));
    if let Some(lane) = current {
        return (lane, head_of_locked(partition, ledger, lane));
    }
    let lane = lock_any(ledger);
    let head = head_of_locked(partition, ledger, lane);
    register(ledger, lane);
    HELD.with_borrow_mut(|held| held.choose(ledger, lane));
    (lane, head)
}

/// A lane that can be had at once, and whose last entry `fits`: the one that the next entries go to stays. All lanes
/// come into question, however many are in use.
pub fn take_fitting(
    partition: Table,
    ledger: Ledger,
    fits: impl Fn(Head) -> bool,
) -> Option<(i32, Head)> {
    (0..settings::MAX_LANES).find_map(|lane| {
        let is_held = HELD.with_borrow(|held| held.head(ledger, lane).is_some());
        if is_held {
            let head = head_of_locked(partition, ledger, lane);
            return fits(head).then_some((lane, head));
        }
        let needs_lock = !lock_table_instead();
        if needs_lock && !lock(ledger, lane, false) {
            return None;
        }
        let head = find_head(partition, ledger, lane, None).unwrap_or(Head::NONE);
        if !fits(head) {
            if needs_lock {
                unlock(ledger, lane);
            }
            return None;
        }
        set_head(ledger, lane, head, None);
        register(ledger, lane);
        Some((lane, head))
    })
}

/// Takes the lane that an entry which arrives says it is in. Returns its last entry.
pub fn take(partition: Table, ledger: Ledger, lane: i32) -> Head {
    let is_held = HELD.with_borrow(|held| held.head(ledger, lane).is_some());
    if !is_held {
        wait_for_turn();
    }
    if !is_held && !lock_table_instead() {
        lock(ledger, lane, true);
    }
    head_of_locked(partition, ledger, lane)
}

/// Entries that arrive come in whatever order, and with them the lanes: transactions that bring many of them at once, as
/// the jobs of pg_restore do, would wait for each other's. So they follow each other from the first entry on. What a
/// subscription applies was committed in an order that it has to keep, and holds no more lanes than it did there.
fn wait_for_turn() {
    // SAFETY: a look at what kind of process this is.
    if unsafe { pg_sys::IsLogicalWorker() } {
        return;
    }
    acquire(&user_lock::tag(Purpose::Arrivals, 0), true);
}

/// The row that the trigger returns to the partition is the lane's new last entry.
pub fn advance(partition: Table, ledger: Ledger, lane: i32, head: Head) {
    set_head(ledger, lane, head, Some(landing::expect(partition)));
}

fn set_head(ledger: Ledger, lane: i32, head: Head, landing: Option<Landing>) {
    // SAFETY: a look at the transaction's state.
    let subtransaction = unsafe { pg_sys::GetCurrentSubTransactionId() };
    HELD.with_borrow_mut(|held| held.set(ledger, lane, head, landing, subtransaction));
}

/// Only after the lock was taken: what is committed then stays the head until this transaction ends.
fn head_of_locked(partition: Table, ledger: Ledger, lane: i32) -> Head {
    let (held, landing) =
        HELD.with_borrow(|held| (held.head(ledger, lane), held.landing(ledger, lane)));
    if let Some(head) = held {
        if landing.is_none_or(|landing| landing::is_sure(landing, partition)) {
            return head;
        }
    }
    let known = KNOWN.with_borrow(|known| known.get(&(ledger, lane)).copied());
    let head = find_head(partition, ledger, lane, known).unwrap_or(Head::NONE);
    set_head(ledger, lane, head, None);
    head
}

/// Locks a lane that is free, and waits for one only when none is.
fn lock_any(ledger: Ledger) -> i32 {
    let may_have_all = ledger.is_some() || speaks_for_the_platform();
    let lanes = count_lanes(settings::lanes(), may_have_all);
    // Backends are numbered without gaps, so that a few of them start at lanes of their own.
    let first = backend_number().rem_euclid(lanes);
    if lock_table_instead() {
        return first;
    }
    (0..lanes)
        .map(|step| (first + step) % lanes)
        .find(|lane| lock(ledger, *lane, false))
        .unwrap_or_else(|| {
            lock(ledger, first, true);
            first
        })
}

/// How many lanes a session may choose among. The platform's ledger is everybody's: tenants' sessions, which may
/// leave their transactions open for as long as they like, have half of its lanes, so that the back end and the
/// writer find one in the other half.
fn count_lanes(lanes: i32, may_have_all: bool) -> i32 {
    if may_have_all {
        lanes
    } else {
        (lanes / 2).max(1)
    }
}

/// Whether the session is the back end's, an operator's or a worker's. Asked of the role that the session has
/// taken: a function that runs as codeverify_owner makes no tenant one of these.
fn speaks_for_the_platform() -> bool {
    // SAFETY: the session's own role.
    let role = unsafe { pg_sys::GetOuterUserId() };
    [c"codeverify_service", c"codeverify_admin", OWNER_ROLE]
        .into_iter()
        .any(|trusted| has_role(role, trusted))
}

/// Past a number of lanes, locks the table against every other writer, which is one lock. Returns whether.
fn lock_table_instead() -> bool {
    let many = HELD.with_borrow(HeldLanes::len) >= MOST_LANE_LOCKS;
    if many {
        // SAFETY: waits like any LOCK TABLE.
        unsafe {
            pg_sys::LockRelationOid(
                audit_log(),
                pg_sys::ShareRowExclusiveLock as pg_sys::LOCKMODE,
            );
        }
    }
    many
}

/// Takes the lock of a lane until the (sub)transaction ends; without waiting it may fail.
fn lock(ledger: Ledger, lane: i32, wait: bool) -> bool {
    acquire(&tag(ledger, lane), wait)
}

fn acquire(tag: &pg_sys::LOCKTAG, wait: bool) -> bool {
    // SAFETY: the tag lives during the call; waiting can be cancelled.
    let result = unsafe { pg_sys::LockAcquire(tag, LANE_LOCK, false, !wait) };
    result != pg_sys::LockAcquireResult::LOCKACQUIRE_NOT_AVAIL
}

/// Gives back a lane that was just taken and to which nothing was written.
fn unlock(ledger: Ledger, lane: i32) {
    // SAFETY: the tag lives during the call.
    unsafe { pg_sys::LockRelease(&tag(ledger, lane), LANE_LOCK, false) };
}

const LANE_LOCK: pg_sys::LOCKMODE = pg_sys::ExclusiveLock as pg_sys::LOCKMODE;

/// What a lane is to the lock manager: one that nobody can hold without writing to it.
fn tag(ledger: Ledger, lane: i32) -> pg_sys::LOCKTAG {
    let (high, low) = ledger.unwrap_or_default().as_u64_pair();
    // Organizations whose ids collide here share locks, which is slower and no worse.
    let fold = |half: u64| u64::from((half ^ (half >> 32)) as u32);
    user_lock::tag_of_lane(fold(high) << 32 | fold(low), lane as u8)
}

/// Makes sure that audits.lanes knows the lane.
fn register(ledger: Ledger, lane: i32) {
    if REGISTERED.with_borrow(|lanes| lanes.contains(&(ledger, lane))) {
        return;
    }
    if is_registered(ledger, lane) {
        // It may be this very transaction's row, and yet be rolled back.
        // SAFETY: a look at the transaction's state.
        let writes = unsafe { pg_sys::GetTopTransactionIdIfAny() } != pg_sys::InvalidTransactionId;
        if !writes {
            REGISTERED.with_borrow_mut(|lanes| lanes.insert((ledger, lane)));
        }
        return;
    }
    as_owner(|| {
        update(
            "INSERT INTO audits.lanes (org_id, lane) VALUES ($1, $2) ON CONFLICT DO NOTHING",
            &[ledger.map(to_datum).into(), lane.into()],
            |_| Ok(()),
        );
    });
}

/// From now on this backend hears of the ends of transactions and of changes to tables. To be called before
/// anything about either is remembered.
pub fn follow_transactions() {
    if HAS_CALLBACKS.replace(true) {
        return;
    }
    // SAFETY: the callbacks have the signatures that the server calls them with, and stay for ever.
    unsafe {
        pg_sys::RegisterXactCallback(Some(end_transaction), std::ptr::null_mut());
        pg_sys::RegisterSubXactCallback(Some(end_subtransaction), std::ptr::null_mut());
        pg_sys::CacheRegisterRelcacheCallback(Some(forget_relation), pg_sys::Datum::null());
    }
}

unsafe extern "C-unwind" fn end_transaction(
    event: pg_sys::XactEvent::Type,
    _argument: *mut c_void,
) {
    use pg_sys::XactEvent::{
        XACT_EVENT_ABORT, XACT_EVENT_COMMIT, XACT_EVENT_PARALLEL_ABORT, XACT_EVENT_PREPARE,
    };
    if [
        XACT_EVENT_COMMIT,
        XACT_EVENT_ABORT,
        XACT_EVENT_PARALLEL_ABORT,
        XACT_EVENT_PREPARE,
    ]
    .contains(&event)
    {
        HELD.with(|held| {
            if let Ok(mut held) = held.try_borrow_mut() {
                if event == XACT_EVENT_COMMIT {
                    remember(&held);
                }
                held.clear();
            }
        });
    }
}

fn remember(held: &HeldLanes) {
    KNOWN.with(|known| {
        let Ok(mut known) = known.try_borrow_mut() else {
            return;
        };
        if known.len() + held.len() > MOST_KNOWN {
            known.clear();
        }
        let heads = held.heads().take(MOST_KNOWN);
        known.extend(heads.map(|(place, head)| (place, head.seq)));
    });
}

unsafe extern "C-unwind" fn end_subtransaction(
    event: pg_sys::SubXactEvent::Type,
    subtransaction: pg_sys::SubTransactionId,
    parent: pg_sys::SubTransactionId,
    _argument: *mut c_void,
) {
    HELD.with(|held| {
        let Ok(mut held) = held.try_borrow_mut() else {
            return;
        };
        match event {
            pg_sys::SubXactEvent::SUBXACT_EVENT_COMMIT_SUB => {
                held.commit_subtransaction(subtransaction, parent);
            }
            pg_sys::SubXactEvent::SUBXACT_EVENT_ABORT_SUB => {
                held.abort_subtransaction(subtransaction);
            }
            _ => {}
        }
    });
}

unsafe extern "C-unwind" fn forget_relation(_argument: pg_sys::Datum, relation: pg_sys::Oid) {
    ledger::forget(relation);
    super::columns::forget(relation);
}
