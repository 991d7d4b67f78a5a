//! The table audits.subject_keys. It is read as it is committed now, and without predicate locks: an entry of a
//! transaction with an old snapshot must neither miss a key nor fail because of one.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::ffi::CStr;

use pgrx::pg_sys::{self, Datum};
use pgrx::varlena::{vardata_any, varsize_any_exhdr};
use uuid::Uuid;

use super::cipher::SubjectKey;
use crate::audits::authority::{is_acting, Deed};
use crate::codeverify::errors::Error;
use crate::codeverify::owner::as_owner;
use crate::codeverify::query::{update, update_one};
use crate::codeverify::server::local_transaction;
use crate::tenancy::sql::{from_datum, to_datum};

/// The key of a subject, with its id.
pub struct Known {
    pub id: Uuid,
    pub key: SubjectKey,
}

/// What is there of a subject, or of a key.
pub enum Found {
    Key(Known),
    Erased,
    Nothing,
}

/// The key under which new fields of a subject are encrypted; None when the subject has been erased.
pub fn key_for(subject: Uuid) -> Result<Option<Known>, Error> {
    match find_by_subject(subject) {
        Found::Key(known) => return Ok(Some(known)),
        Found::Erased | Found::Nothing => {}
    }
    count_lock(subject)?;
    // An erasure under way may hide the row for a moment, and must not overlook a key that is made meanwhile.
    // Those who make keys do not wait for each other.
    lock_subject(subject, pg_sys::ShareLock);
    match find_by_subject(subject) {
        Found::Key(known) => Ok(Some(known)),
        Found::Erased => Ok(None),
        Found::Nothing => create(subject).map(Some),
    }
}

/// Most people who get their first key in one transaction: for each it holds a lock until it ends, and the server has room
/// for so many in all. Also those whose personal fields are of people who have been erased.
const MOST_LOCKED: usize = 1000;

thread_local! {
    /// The transaction that locked last, and the people in question.
    static LOCKED: RefCell<(u32, HashSet<Uuid>)> = RefCell::new((0, HashSet::new()));
}

/// VC061 where the transaction may not make keys for one more person, after those who are `pending`. For callers that
/// cannot raise it later.
pub fn may_create(subject: Uuid, pending: &mut HashSet<Uuid>) -> Result<(), Error> {
    if matches!(find_by_subject(subject), Found::Key(_)) {
        return Ok(());
    }
    with_locked(|locked| {
        if !locked.contains(&subject) {
            pending.insert(subject);
        }
        bound(locked.len() + pending.len())
    })
}

fn count_lock(subject: Uuid) -> Result<(), Error> {
    // Capture counts the rows that it encrypts, and digests further ones.
    if is_acting(Deed::Capture) {
        return Ok(());
    }
    with_locked(|locked| {
        if locked.contains(&subject) {
            return Ok(());
        }
        bound(locked.len() + 1)?;
        locked.insert(subject);
        Ok(())
    })
}

fn bound(people: usize) -> Result<(), Error> {
    if people <= MOST_LOCKED {
        return Ok(());
    }
    Err(Error::PersonalField {
        problem: format!(
            "A transaction makes the first personal fields of at most {MOST_LOCKED} people."
        ),
    })
}

/// The people in question in this transaction; those of savepoints that were rolled back still count.
fn with_locked<T>(work: impl FnOnce(&mut HashSet<Uuid>) -> T) -> T {
    let transaction = local_transaction();
    LOCKED.with_borrow_mut(|(last, locked)| {
        if *last != transaction {
            *last = transaction;
            locked.clear();
        }
        work(locked)
    })
}

/// Makes a key for a subject. The server itself draws it, so that it is no parameter of a query, which a log might show.
pub fn create(subject: Uuid) -> Result<Known, Error> {
    let id = as_owner(|| {
        update_one::<pgrx::Uuid>(
            "INSERT INTO audits.subject_keys (subject_id, key) \
             VALUES ($1, sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()))) \
             RETURNING id",
            &[to_datum(subject).into()],
        )
    });
    match id.map(|id| find_by_id(from_datum(id), subject)) {
        Some(Found::Key(known)) => Ok(known),
        _ => Err(Error::NoRandomness),
    }
}

/// Keeps erasures of a subject (ExclusiveLock) and the making of keys (ShareLock) apart, until the transaction ends.
pub fn lock_subject(subject: Uuid, mode: u32) {
    let (high, low) = subject.as_u64_pair();
    let folded = high ^ low;
    // Subjects whose ids collide here share a lock, which is slower and no worse.
    let object = (folded ^ (folded >> 32)) as u32;
    // SAFETY: waits like any lock; the class is our own table, so no other object has the tag.
    unsafe {
        pg_sys::LockDatabaseObject(
            table_oid(),
            pg_sys::Oid::from(object),
            0,
            mode as pg_sys::LOCKMODE,
        );
    }
}

/// Overwrites all keys of a subject and returns their ids. A subject without any gets a tombstone, whose id comes with them.
pub fn erase(subject: Uuid) -> (i64, Vec<Uuid>) {
    let ids = |mut rows: pgrx::spi::SpiTupleTable| {
        let mut ids = Vec::with_capacity(rows.len());
        while rows.next().is_some() {
            ids.extend(rows.get::<pgrx::Uuid>(1)?.map(from_datum));
        }
        Ok(ids)
    };
    let erased = update(
        "UPDATE audits.subject_keys \
         SET key = NULL, erased_at = clock_timestamp(), erased_by = session_user \
         WHERE subject_id = $1 AND key IS NOT NULL \
         RETURNING id",
        &[to_datum(subject).into()],
        ids,
    );
    let count = erased.len() as i64;
    if count > 0 {
        return (count, erased);
    }
    let tombstone = update(
        "INSERT INTO audits.subject_keys (subject_id, erased_at, erased_by) \
         SELECT $1, clock_timestamp(), session_user \
         WHERE NOT EXISTS (SELECT FROM audits.subject_keys AS k WHERE k.subject_id = $1) \
         RETURNING id",
        &[to_datum(subject).into()],
        ids,
    );
    (0, tombstone)
}

/// What is there of a key by its id, if it is the subject's.
pub fn find_by_id(id: Uuid, subject: Uuid) -> Found {
    find(c"id", c"subject_keys_pkey", id, |row_subject| {
        row_subject == subject
    })
}

/// What is there of a subject: a key if there is one.
pub fn find_by_subject(subject: Uuid) -> Found {
    find(
        c"subject_id",
        c"subject_keys_subject_id_idx",
        subject,
        |_| true,
    )
}

thread_local! {
    /// The table, so that it is not looked up by name for every field.
    static TABLE: Cell<pg_sys::Oid> = const { Cell::new(pg_sys::InvalidOid) };
}

fn table_oid() -> pg_sys::Oid {
    // SAFETY: catalog look-ups by 'static names.
    unsafe {
        let known = TABLE.get();
        if known != pg_sys::InvalidOid && pg_sys::get_rel_relkind(known) != 0 {
            return known;
        }
        let oid = pg_sys::get_relname_relid(
            c"subject_keys".as_ptr(),
            pg_sys::get_namespace_oid(c"audits".as_ptr(), false),
        );
        TABLE.set(oid);
        oid
    }
}

fn find(column: &CStr, index: &CStr, value: Uuid, fits: impl Fn(Uuid) -> bool) -> Found {
    let mut found = Found::Nothing;
    let bytes = *value.as_bytes();
    // SAFETY: table and scan are closed below, on the same path; an error ends the transaction, which closes
    // them too. Values of a row are read while the scan has it.
    unsafe {
        let table = pg_sys::table_open(table_oid(), pg_sys::AccessShareLock as pg_sys::LOCKMODE);
        let oid = (*table).rd_id;
        let index = pg_sys::get_relname_relid(index.as_ptr(), (*(*table).rd_rel).relnamespace);
        let [id, subject, key, searched] = [c"id", c"subject_id", c"key", column]
            .map(|name| pg_sys::get_attnum(oid, name.as_ptr()));
        let mut condition = pg_sys::ScanKeyData::default();
        pg_sys::ScanKeyInit(
            &mut condition,
            searched,
            pg_sys::BTEqualStrategyNumber as u16,
            pg_sys::Oid::from(pg_sys::F_UUID_EQ),
            Datum::from(bytes.as_ptr()),
        );
        let scan = pg_sys::systable_beginscan(
            table,
            index,
            index != pg_sys::InvalidOid,
            std::ptr::addr_of_mut!(pg_sys::SnapshotSelfData),
            1,
            &mut condition,
        );
        loop {
            let tuple = pg_sys::systable_getnext(scan);
            if tuple.is_null() {
                break;
            }
            let get = |place: i16| {
                let mut is_null = false;
                let value =
                    pg_sys::heap_getattr(tuple, i32::from(place), (*table).rd_att, &mut is_null);
                (!is_null).then_some(value)
            };
            let uuid = |value: Datum| Uuid::from_bytes(*value.cast_mut_ptr::<[u8; 16]>());
            let (Some(id), Some(subject)) = (get(id).map(uuid), get(subject).map(uuid)) else {
                continue;
            };
            if !fits(subject) {
                continue;
            }
            match get(key) {
                None => found = Found::Erased,
                Some(key) => {
                    // Stored plain and shorter than 126 bytes: this copies nothing.
                    let key = pg_sys::pg_detoast_datum_packed(key.cast_mut_ptr());
                    let key = std::slice::from_raw_parts(
                        vardata_any(key).cast::<u8>(),
                        varsize_any_exhdr(key),
                    );
                    if let Some(key) = SubjectKey::from_bytes(key) {
                        found = Found::Key(Known { id, key });
                        break;
                    }
                }
            }
        }
        pg_sys::systable_endscan(scan);
        pg_sys::table_close(table, pg_sys::AccessShareLock as pg_sys::LOCKMODE);
    }
    found
}
