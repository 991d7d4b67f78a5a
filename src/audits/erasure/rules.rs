//! The table audits.personal_fields, kept in memory until it changes: every append asks.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;

use pgrx::pg_sys::{self, Datum};
use pgrx::varlena::{vardata_any, varsize_any_exhdr};

use super::fields::{Rule, Whose};

/// The rules by entity.
struct Loaded {
    table: pg_sys::Oid,
    rules: HashMap<String, Vec<Rule>>,
}

thread_local! {
    static LOADED: RefCell<Option<Loaded>> = const { RefCell::new(None) };
    static FOLLOWS: Cell<bool> = const { Cell::new(false) };
}

/// Lets `read` see the fields that are personal in entries about an entity.
pub fn with_rules<R>(entity: &str, read: impl FnOnce(&[Rule]) -> R) -> R {
    if LOADED.with_borrow(Option::is_none) {
        follow_changes();
        let loaded = load();
        LOADED.set(Some(loaded));
    }
    LOADED.with_borrow(|loaded| {
        let rules = loaded.as_ref().and_then(|loaded| loaded.rules.get(entity));
        read(rules.map_or(&[], Vec::as_slice))
    })
}

/// Tells every session, at the end of the transaction, that the table has changed.
pub fn tell_changed() {
    let table = table_oid();
    if table != pg_sys::InvalidOid {
        // SAFETY: registers a message for this transaction's end.
        unsafe { pg_sys::CacheInvalidateRelcacheByRelid(table) };
    }
}

fn table_oid() -> pg_sys::Oid {
    // SAFETY: catalog look-ups by 'static names.
    unsafe {
        pg_sys::get_relname_relid(
            c"personal_fields".as_ptr(),
            pg_sys::get_namespace_oid(c"audits".as_ptr(), false),
        )
    }
}

fn follow_changes() {
    if !FOLLOWS.replace(true) {
        // SAFETY: the callback has the signature that the server calls it with, and stays for ever.
        unsafe { pg_sys::CacheRegisterRelcacheCallback(Some(forget), Datum::null()) };
    }
}

unsafe extern "C-unwind" fn forget(_argument: Datum, relation: pg_sys::Oid) {
    LOADED.with(|loaded| {
        // Called in the middle of anything: what is being read right now is forgotten by the next message.
        if let Ok(mut loaded) = loaded.try_borrow_mut() {
            let concerns = loaded
                .as_ref()
                .is_some_and(|loaded| relation == pg_sys::InvalidOid || relation == loaded.table);
            if concerns {
                *loaded = None;
            }
        }
    });
}

/// As they are committed now: what is kept must not be an old snapshot's.
fn load() -> Loaded {
    let mut rules: HashMap<String, Vec<Rule>> = HashMap::new();
    let table = table_oid();
    // SAFETY: table and scan are closed below, or by the end of a transaction that fails; values of a row are
    // copied while the scan has it. Texts are UTF-8, which bootstrap.sql has made sure of.
    unsafe {
        let relation = pg_sys::table_open(table, pg_sys::AccessShareLock as pg_sys::LOCKMODE);
        let columns =
            [c"entity", c"field", c"subject"].map(|name| pg_sys::get_attnum(table, name.as_ptr()));
        let scan = pg_sys::systable_beginscan(
            relation,
            pg_sys::InvalidOid,
            false,
            std::ptr::addr_of_mut!(pg_sys::SnapshotSelfData),
            0,
            std::ptr::null_mut(),
        );
        loop {
            let tuple = pg_sys::systable_getnext(scan);
            if tuple.is_null() {
                break;
            }
            let [entity, field, subject] = columns.map(|place| {
                let mut is_null = false;
                let value =
                    pg_sys::heap_getattr(tuple, i32::from(place), (*relation).rd_att, &mut is_null);
                if is_null {
                    return String::new();
                }
                let text = pg_sys::pg_detoast_datum_packed(value.cast_mut_ptr());
                let bytes = std::slice::from_raw_parts(
                    vardata_any(text).cast::<u8>(),
                    varsize_any_exhdr(text),
                );
                String::from_utf8_lossy(bytes).into_owned()
            });
            let whose = if subject == "resource" {
                Whose::Resource
            } else {
                Whose::Actor
            };
            rules.entry(entity).or_default().push(Rule { field, whose });
        }
        pg_sys::systable_endscan(scan);
        pg_sys::table_close(relation, pg_sys::AccessShareLock as pg_sys::LOCKMODE);
    }
    Loaded { table, rules }
}
