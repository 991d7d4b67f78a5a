//! The trigger function: from the transition tables of a statement to entries in the ledger.

use std::cell::Cell;
use std::rc::Rc;

use pgrx::datum::DatumWithOid;
use pgrx::{pg_sys, varlena};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::digest::KEY_BYTES;
use super::entries::{Entries, Entry};
use super::jsonb::{append_object, Values};
use super::plan::{self, Plan};
use super::values::{are_identical, uuid_of, Converter, PinnedOutput};
use crate::audits::authority::{acting, Deed};
use crate::audits::chain::ledger::organization_exists;
use crate::audits::chain::record::{append, Subject};
use crate::audits::settings;
use crate::codeverify::errors::Error;
use crate::codeverify::interrupts::check_for_interrupts;
use crate::codeverify::owner::as_owner;
use crate::codeverify::query::update;
use crate::codeverify::raise::raise;
use crate::tenancy;

/// A row of a transition table, valid until the next one is fetched.
#[derive(Clone, Copy)]
struct Row {
    slot: *const pg_sys::TupleTableSlot,
}

impl Row {
    fn value(self, place: usize) -> Option<pg_sys::Datum> {
        // SAFETY: the slot holds a row, whose columns have all been taken apart, and `place` is one of them.
        unsafe {
            let slot = &*self.slot;
            (!*slot.tts_isnull.add(place)).then(|| *slot.tts_values.add(place))
        }
    }
}

/// The rows of a transition table, from the first one on.
struct Rows {
    store: *mut pg_sys::Tuplestorestate,
    slot: *mut pg_sys::TupleTableSlot,
    columns: i32,
}

impl Rows {
    /// # Safety
    /// The transition table of a trigger of the relation, until the trigger function returns.
    unsafe fn open(store: *mut pg_sys::Tuplestorestate, relation: pg_sys::Relation) -> Rows {
        if store.is_null() {
            raise(Error::NotACaptureTrigger);
        }
        // SAFETY: as promised. Other triggers read the same table: each has a read pointer of its own, a copy
        // of the first one, which may be anywhere.
        unsafe {
            let reader =
                pg_sys::tuplestore_alloc_read_pointer(store, pg_sys::EXEC_FLAG_REWIND as i32);
            pg_sys::tuplestore_select_read_pointer(store, reader);
            pg_sys::tuplestore_rescan(store);
            let descriptor = (*relation).rd_att;
            Rows {
                store,
                slot: pg_sys::MakeSingleTupleTableSlot(descriptor, &pg_sys::TTSOpsMinimalTuple),
                columns: (*descriptor).natts,
            }
        }
    }

    fn count(&self) -> i64 {
        // SAFETY: the store lives as long as the trigger function runs.
        unsafe { pg_sys::tuplestore_tuple_count(self.store) }
    }

    fn next(&mut self) -> Option<Row> {
        // SAFETY: as above.
        unsafe {
            if !pg_sys::tuplestore_gettupleslot(self.store, true, false, self.slot) {
                return None;
            }
            if i32::from((*self.slot).tts_nvalid) < self.columns {
                pg_sys::slot_getsomeattrs_int(self.slot, self.columns);
            }
        }
        Some(Row { slot: self.slot })
    }

    /// After an error the end of the transaction does this.
    fn close(self) {
        // SAFETY: the slot was made by open().
        unsafe { pg_sys::ExecDropSingleTupleTableSlot(self.slot) };
    }
}

/// Memory for what converting rows takes.
struct Scratch {
    context: pg_sys::MemoryContext,
    /// Bytes that were taken since it was freed, as far as they are known.
    taken: usize,
}

impl Scratch {
    /// Freeing is a call to the server, and most rows take little.
    const FREE_AFTER: usize = 64 * 1024;
    /// For what is not known.
    const PER_CALL: usize = 1024;

    fn new() -> Scratch {
        // SAFETY: a child of the current context, which takes it along after an error.
        let context = unsafe {
            pg_sys::AllocSetContextCreateInternal(
                pg_sys::CurrentMemoryContext,
                c"codeverify capture".as_ptr(),
                pg_sys::ALLOCSET_DEFAULT_MINSIZE as usize,
                pg_sys::ALLOCSET_DEFAULT_INITSIZE as usize,
                pg_sys::ALLOCSET_DEFAULT_MAXSIZE as usize,
            )
        };
        Scratch { context, taken: 0 }
    }

    /// Runs `work` with this as the current context. `work` tells how many bytes it has taken, and lets nothing out
    /// that lives in it.
    fn during(&mut self, work: impl FnOnce() -> usize) {
        // SAFETY: switches there and back; an error is caught by code that sets its own context.
        unsafe {
            let outer = pg_sys::CurrentMemoryContext;
            pg_sys::CurrentMemoryContext = self.context;
            self.taken += work() + Scratch::PER_CALL;
            pg_sys::CurrentMemoryContext = outer;
            if self.taken > Scratch::FREE_AFTER {
                pg_sys::MemoryContextReset(self.context);
                self.taken = 0;
            }
        }
    }
}

/// A row's values under one name of its JSON object.
type Part<'a> = Option<(Row, &'a [usize])>;

/// Turns the rows of a statement into entries.
struct Recorder {
    plan: Rc<Plan>,
    action: &'static str,
    entries: Entries,
    output: PinnedOutput,
    scratch: Scratch,
    /// Whether the caller passes row security by an attribute of its role.
    is_above_row_security: bool,
    /// The organization that was looked up last, and whether it exists.
    last_checked: Option<(Uuid, bool)>,
    // Kept from row to row for their memory.
    part: Values,
    members: Values,
    bytes: Vec<u8>,
}

impl Recorder {
    fn new(plan: Rc<Plan>, action: &'static str) -> Recorder {
        Recorder {
            plan,
            action,
            entries: Entries::default(),
            output: PinnedOutput::default(),
            scratch: Scratch::new(),
            // SAFETY: catalog look-ups.
            is_above_row_security: unsafe { pg_sys::has_bypassrls_privilege(pg_sys::GetUserId()) },
            last_checked: None,
            part: Values::default(),
            members: Values::default(),
            bytes: Vec::new(),
        }
    }

    /// The organization whose ledger a row belongs to. Whoever may write to a table of somebody else's making
    /// writes what they like into its org_id: that is believed where it is the context's, or where the
    /// caller is above row security anyway.
    fn org_of(&mut self, row: Row) -> Option<Uuid> {
        let context = tenancy::settings::org_id();
        let Some(org) = self.plan.org else {
            return self.existing(context);
        };
        let named = row
            .value(self.plan.columns[org].place)
            // SAFETY: the plan says that the column is a uuid.
            .map(|datum| unsafe { uuid_of(datum) });
        if self.plan.is_ours {
            return named;
        }
        let is_believed = named.is_none() || named == context || self.is_above_row_security;
        self.existing(if is_believed { named } else { context })
    }

    /// The platform's own ledger instead of one of an organization that does not exist. The extension's own
    /// tables speak of organizations that are going, and of none that never were.
    fn existing(&mut self, org_id: Option<Uuid>) -> Option<Uuid> {
        let id = org_id?;
        if self.plan.is_ours {
            return org_id;
        }
        if self.last_checked.is_none_or(|(checked, _)| checked != id) {
            self.last_checked = Some((id, organization_exists(id)));
        }
        self.last_checked
            .filter(|(_, exists)| *exists)
            .map(|(id, _)| id)
    }

    fn add(&mut self, org_id: Option<Uuid>, key: Part, old: Part, new: Part) {
        let plan = self.plan.clone();
        let named_by = key.or(new).or(old).map(|(row, _)| row);
        let resource_id = plan
            .resource
            .zip(named_by)
            .and_then(|(column, row)| row.value(plan.columns[column].place))
            // SAFETY: the plan says that the column is a uuid.
            .map(|datum| unsafe { uuid_of(datum) });
        let person = resource_id.filter(|_| plan.has_personal && may_encrypt());
        let mut names = Vec::with_capacity(3);
        self.members.clear();
        for (name, part) in [("key", key), ("new", new), ("old", old)] {
            let Some((row, columns)) = part else {
                continue;
            };
            names.push(name);
            self.convert(&plan, person, row, columns);
            self.members.push_container(&self.bytes);
        }
        self.bytes.clear();
        append_object(&mut self.bytes, names.iter().copied(), &self.members);
        let action = self.action;
        self.entries.add(org_id, resource_id, &self.bytes, |entry| {
            write(&plan, action, &entry)
        });
    }

    /// Makes `bytes` the object of a row's columns.
    fn convert(&mut self, plan: &Plan, person: Option<Uuid>, row: Row, columns: &[usize]) {
        let converter = Converter {
            output: &self.output,
            table: &plan.table,
            person,
            redactor: &|| plan::redactor(make_key),
            taken: Cell::new(0),
        };
        self.part.clear();
        let part = &mut self.part;
        self.scratch.during(|| {
            for column in columns {
                let column = &plan.columns[*column];
                // SAFETY: the row is one of the plan's table and is still in its slot.
                unsafe { converter.append(column, row.value(column.place), part) };
            }
            part.size() + converter.taken.get()
        });
        self.bytes.clear();
        let names = columns
            .iter()
            .map(|column| plan.columns[*column].name.as_str());
        append_object(&mut self.bytes, names, &self.part);
    }

    /// A row that came.
    fn add_new(&mut self, row: Row) {
        let plan = self.plan.clone();
        let key = (!plan.is_keyless).then_some((row, &plan.key[..]));
        let org_id = self.org_of(row);
        self.add(org_id, key, None, Some((row, &plan.recorded)));
    }

    /// A row that went.
    fn add_old(&mut self, row: Row) {
        let plan = self.plan.clone();
        let key = (!plan.is_keyless).then_some((row, &plan.key[..]));
        let org_id = self.org_of(row);
        self.add(org_id, key, Some((row, &plan.recorded)), None);
    }

    /// A row that changed; nothing where it did not. `changed` is there for its memory.
    fn add_change(&mut self, old: Row, new: Row, changed: &mut Vec<usize>) {
        let plan = self.plan.clone();
        changed.clear();
        self.scratch.during(|| {
            changed.extend(plan.recorded.iter().filter(|index| {
                let column = &plan.columns[**index];
                // SAFETY: both rows are of the plan's table and still in their slots.
                !unsafe { are_identical(column, old.value(column.place), new.value(column.place)) }
            }));
            0
        });
        if changed.is_empty() {
            return;
        }
        let (left, entered) = (self.org_of(old), self.org_of(new));
        match plan.org.filter(|_| left != entered) {
            None => self.add(
                left,
                Some((old, &plan.key)),
                Some((old, changed)),
                Some((new, changed)),
            ),
            // Each organization is told what was its own, and where the row has gone to or come from.
            Some(org) => {
                let org = [org];
                self.add(
                    left,
                    Some((old, &plan.key)),
                    Some((old, changed)),
                    Some((new, &org)),
                );
                self.add(
                    entered,
                    Some((new, &plan.key)),
                    Some((old, &org)),
                    Some((new, changed)),
                );
            }
        }
    }

    fn finish(self) {
        let (plan, action) = (self.plan, self.action);
        self.entries.finish(|entry| write(&plan, action, &entry));
        self.output.release();
    }
}

/// Rows with personal values that a transaction records encrypted. A person's first key takes a lock until the transaction
/// ends, and the server has room for so many; values of further rows are digested.
const MAX_PEOPLE: u32 = 1000;

thread_local! {
    /// The transaction that counted last, and its rows.
    static PEOPLE: Cell<(pg_sys::TransactionId, u32)> = const { Cell::new((pg_sys::InvalidTransactionId, 0)) };
}

/// Counts a row with personal values.
fn may_encrypt() -> bool {
    // SAFETY: a transaction that has changed rows has an id.
    let transaction = unsafe { pg_sys::GetTopTransactionId() };
    let counted = match PEOPLE.get() {
        (last, counted) if last == transaction => counted,
        _ => 0,
    };
    PEOPLE.set((transaction, counted.saturating_add(1)));
    counted < MAX_PEOPLE
}

/// Records what a statement has done.
///
/// # Safety
/// What the server has handed to the trigger function.
pub unsafe fn record(data: &pg_sys::TriggerData) {
    let fired = data.tg_event;
    if fired & pg_sys::TRIGGER_EVENT_ROW != 0
        || fired & pg_sys::TRIGGER_EVENT_TIMINGMASK != pg_sys::TRIGGER_EVENT_AFTER
    {
        raise(Error::NotACaptureTrigger);
    }
    if !settings::captures() {
        return;
    }
    // SAFETY: as promised.
    unsafe {
        let relation = data.tg_relation;
        let plan = plan::plan_of(data.tg_trigger, relation);
        match fired & pg_sys::TRIGGER_EVENT_OPMASK {
            pg_sys::TRIGGER_EVENT_INSERT => {
                record_each(
                    plan,
                    "row.inserted",
                    Rows::open(data.tg_newtable, relation),
                    Recorder::add_new,
                );
            }
            pg_sys::TRIGGER_EVENT_DELETE => {
                record_each(
                    plan,
                    "row.deleted",
                    Rows::open(data.tg_oldtable, relation),
                    Recorder::add_old,
                );
            }
            pg_sys::TRIGGER_EVENT_UPDATE => {
                let old = Rows::open(data.tg_oldtable, relation);
                record_changes(plan, old, Rows::open(data.tg_newtable, relation));
            }
            _ => record_truncation(&plan),
        }
    }
}

fn record_each(plan: Rc<Plan>, action: &'static str, mut rows: Rows, add: fn(&mut Recorder, Row)) {
    let mut recorder = Recorder::new(plan, action);
    while let Some(row) = rows.next() {
        check_for_interrupts();
        add(&mut recorder, row);
    }
    recorder.finish();
    rows.close();
}

/// The server adds the old and the new version of a row at the same time, so both tables are in the same order.
fn record_changes(plan: Rc<Plan>, mut old: Rows, mut new: Rows) {
    let mut recorder = Recorder::new(plan, "row.updated");
    if old.count() == new.count() {
        let mut changed = Vec::new();
        while let (Some(before), Some(after)) = (old.next(), new.next()) {
            check_for_interrupts();
            recorder.add_change(before, after, &mut changed);
        }
    } else {
        // A trigger of a partition has dropped rows on their way there: which is which cannot be told.
        while let Some(row) = old.next() {
            check_for_interrupts();
            recorder.add_old(row);
        }
        while let Some(row) = new.next() {
            check_for_interrupts();
            recorder.add_new(row);
        }
    }
    recorder.finish();
    old.close();
    new.close();
}

fn record_truncation(plan: &Plan) {
    let mut names = Vec::new();
    let mut values = Values::default();
    if let Some(partition) = &plan.partition {
        names.push("partition");
        values.push_string(partition.as_bytes());
    }
    let mut payload = Vec::new();
    append_object(&mut payload, names.into_iter(), &values);
    insert(
        plan,
        "table.truncated",
        tenancy::settings::org_id(),
        None,
        &payload,
    );
}

fn write(plan: &Plan, action: &str, entry: &Entry) {
    let payload = entry.payload(plan.partition.as_deref());
    insert(plan, action, entry.org_id, entry.resource_id, &payload);
}

/// Whoever changes a tracked table needs no right to the ledger.
fn insert(
    plan: &Plan,
    action: &str,
    ledger: Option<Uuid>,
    resource_id: Option<Uuid>,
    payload: &[u8],
) {
    let subject = Subject {
        ledger,
        entity: Some(&plan.entity),
        action: Some(action),
        actor_id: tenancy::settings::user_id(),
        resource_id,
        ..Subject::default()
    };
    // A jsonb differs from a bytea in what its bytes mean.
    let payload = varlena::rust_byte_slice_to_bytea(payload).into_pg();
    // SAFETY: the bytes are those of a jsonb, and live in the caller's memory context until they are freed.
    unsafe {
        let parameter = DatumWithOid::new(pg_sys::Datum::from(payload), pg_sys::JSONBOID);
        acting(Deed::Capture, || append(&subject, parameter));
        pg_sys::pfree(payload.cast());
    }
}

/// Makes the first key of an installation. Not done by deployment: a row there would stand in the way of one
/// that is restored or replicated.
fn make_key(table: pg_sys::Oid) {
    // SAFETY: locks a relation until the transaction ends; a second session waits here and finds the first one's key.
    unsafe { pg_sys::LockRelationOid(table, pg_sys::ShareRowExclusiveLock as pg_sys::LOCKMODE) };
    if plan::oldest_key(table).is_some() {
        return;
    }
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    if getrandom::fill(key.as_mut()).is_err() {
        raise(Error::NoRandomness);
    }
    as_owner(|| {
        update(
            "INSERT INTO audits.redaction_keys (key) VALUES ($1)",
            &[key.as_slice().to_vec().into()],
            |_| Ok(()),
        );
    });
}
