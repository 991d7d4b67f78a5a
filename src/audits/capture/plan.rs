//! How each column of a tracked table is recorded. Made at a trigger's first call in a session, and kept until
//! the table, its triggers or the rules change.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::ffi::{c_char, CStr};
use std::rc::Rc;

use pgrx::{direct_function_call, pg_sys, FromDatum, IntoDatum, PgTupleDesc};

use super::arguments::{find, Arguments};
use super::digest::Redactor;
use super::jsonb::sort_key;
use super::rules::{treatment, Rule, Treatment};
use super::values::Conversion;
use crate::audits::erasure::fields::{ENCRYPTED, ERASED, PERSONAL};
use crate::codeverify::owner::OWNER_ROLE;

/// A column that is not dropped.
pub struct Column {
    pub name: String,
    /// Its place in a row, from 0.
    pub place: usize,
    pub conversion: Conversion,
    /// Output function of the type.
    pub output: pg_sys::Oid,
    pub is_by_value: bool,
    /// Bytes of a value; -1 for one that says so itself, -2 for a C string.
    pub length: i16,
    pub treatment: Treatment,
    pub is_key: bool,
}

/// A tracked table. Lists of columns are places in `columns`, which is in the order of keys in jsonb.
pub struct Plan {
    relation: pg_sys::Oid,
    /// schema.table as patterns see it, of the table that a partition belongs to.
    pub table: String,
    /// The same as SQL writes it, as long as the ledger's column takes it.
    pub entity: String,
    /// The partition that the statement named instead.
    pub partition: Option<String>,
    schema: String,
    pub columns: Vec<Column>,
    /// Those that are told of.
    pub recorded: Vec<usize>,
    pub key: Vec<usize>,
    /// Whether all columns are the key, for want of one.
    pub is_keyless: bool,
    /// The uuid that names the organization.
    pub org: Option<usize>,
    /// The key, where it is one uuid.
    pub resource: Option<usize>,
    pub has_personal: bool,
    /// Whether the table is the extension's, so that its org_id is what row security made of it.
    pub is_ours: bool,
}

/// Most characters of audits.audit_log.entity.
const MAX_ENTITY: usize = 100;

thread_local! {
    static PLANS: RefCell<HashMap<pg_sys::Oid, Rc<Plan>>> = RefCell::new(HashMap::new());
    static RULES: RefCell<Option<Rc<Vec<Rule>>>> = const { RefCell::new(None) };
    static REDACTOR: RefCell<Option<Redactor>> = const { RefCell::new(None) };
    /// Goes up whenever something was forgotten, also while it is being made.
    static FORGOTTEN: Cell<u64> = const { Cell::new(0) };
    static IS_LISTENING: Cell<bool> = const { Cell::new(false) };
    static RULES_TABLE: Cell<pg_sys::Oid> = const { Cell::new(pg_sys::InvalidOid) };
    static KEYS_TABLE: Cell<pg_sys::Oid> = const { Cell::new(pg_sys::InvalidOid) };
}

/// The plan of a trigger on an open relation.
///
/// # Safety
/// Both point to what the server has handed to a trigger function.
pub unsafe fn plan_of(trigger: *const pg_sys::Trigger, relation: pg_sys::Relation) -> Rc<Plan> {
    // SAFETY: as promised.
    let (trigger, namespace) = unsafe { (&*trigger, (*(*relation).rd_rel).relnamespace) };
    listen();
    // Renaming a schema leaves its tables' cache entries alone.
    let schema = schema_name(namespace);
    let kept = PLANS.with_borrow(|plans| plans.get(&trigger.tgoid).cloned());
    if let Some(plan) = kept.filter(|plan| plan.schema == schema) {
        return plan;
    }
    let before = FORGOTTEN.get();
    // SAFETY: tgargs are as many C strings as tgnargs says.
    let texts = (0..usize::try_from(trigger.tgnargs).unwrap_or(0))
        .map(|n| unsafe { text_of(*trigger.tgargs.add(n)) })
        .collect::<Vec<_>>();
    let arguments = Arguments::parse(texts.iter().map(String::as_str));
    // SAFETY: as promised.
    let plan = Rc::new(unsafe { make(relation, &arguments) });
    if FORGOTTEN.get() == before {
        PLANS.with_borrow_mut(|plans| plans.insert(trigger.tgoid, plan.clone()));
    }
    plan
}

/// # Safety
/// The relation is open.
pub unsafe fn make(relation: pg_sys::Relation, arguments: &Arguments) -> Plan {
    // SAFETY: as promised; the descriptor is counted while it is read.
    let (oid, class, descriptor) = unsafe {
        (
            (*relation).rd_id,
            &*(*relation).rd_rel,
            PgTupleDesc::from_pg_copy((*relation).rd_att),
        )
    };
    let schema = schema_name(class.relnamespace);
    // SAFETY: a name is a C string.
    let own_name = unsafe { text_of(class.relname.data.as_ptr()) };
    let (table_schema, table_name) = if class.relispartition {
        name_of_root(oid).unwrap_or_else(|| (schema.clone(), own_name.clone()))
    } else {
        (schema.clone(), own_name.clone())
    };
    let table = format!("{table_schema}.{table_name}");

    let mut attributes: Vec<(usize, &pg_sys::FormData_pg_attribute, String)> = descriptor
        .iter()
        .enumerate()
        .filter(|(_, attribute)| !attribute.attisdropped)
        // SAFETY: a name is a C string.
        .map(|(place, attribute)| {
            (place, attribute, unsafe {
                text_of(attribute.attname.data.as_ptr())
            })
        })
        .collect();
    attributes.sort_by(|(_, _, a), (_, _, b)| {
        let (a, b) = (name_in_payload(a), name_in_payload(b));
        sort_key(&a).cmp(&sort_key(&b))
    });

    let names: Vec<(i16, &str)> = attributes
        .iter()
        .map(|(_, attribute, name)| (attribute.attnum, name.as_str()))
        .collect();
    let redacted: Vec<usize> = arguments
        .redact
        .iter()
        .filter_map(|named| find(named, &names))
        .collect();
    let mut key: Vec<usize> = arguments
        .key
        .iter()
        .filter_map(|named| find(named, &names))
        .collect();
    if key.is_empty() {
        key = primary_key(oid, &names);
    }
    key.sort_unstable();
    key.dedup();
    let is_keyless = key.is_empty();
    let rules = rules();

    let columns: Vec<Column> = attributes
        .iter()
        .enumerate()
        .map(|(index, (place, attribute, name))| {
            let is_key = key.contains(&index);
            let treatment = if redacted.contains(&index) {
                Treatment::Redact
            } else {
                match treatment(&rules, &table, name) {
                    // A row must be named by something.
                    Treatment::Ignore if is_key => Treatment::Record,
                    treatment => treatment,
                }
            };
            Column {
                name: name_in_payload(name),
                place: *place,
                conversion: Conversion::of(attribute.atttypid),
                output: output_function(attribute.atttypid),
                is_by_value: attribute.attbyval,
                length: attribute.attlen,
                treatment,
                is_key,
            }
        })
        .collect();
    let recorded: Vec<usize> = (0..columns.len())
        .filter(|index| columns[*index].treatment != Treatment::Ignore)
        .collect();
    let is_uuid = |index: &usize| matches!(columns[*index].conversion, Conversion::Uuid);
    let org_name = if table == "tenancy.organizations" {
        "id"
    } else {
        "org_id"
    };
    let org = columns
        .iter()
        .position(|column| column.name == org_name)
        .filter(is_uuid);
    let resource = match key[..] {
        [only] if is_uuid(&only) && columns[only].treatment == Treatment::Record => Some(only),
        _ => None,
    };
    if is_keyless {
        key.clone_from(&recorded);
    }
    let has_personal = columns
        .iter()
        .any(|column| column.treatment == Treatment::Personal);
    // SAFETY: a catalog look-up by a 'static name; a missing role is nobody's.
    let owner = unsafe { pg_sys::get_role_oid(OWNER_ROLE.as_ptr(), true) };
    Plan {
        has_personal,
        is_ours: class.relowner == owner,
        relation: oid,
        table,
        entity: quoted(&table_schema, &table_name)
            .chars()
            .take(MAX_ENTITY)
            .collect(),
        partition: class.relispartition.then(|| quoted(&schema, &own_name)),
        schema,
        columns,
        recorded,
        key,
        is_keyless,
        org,
        resource,
    }
}

/// Not one that means something in a payload.
fn name_in_payload(name: &str) -> String {
    if [PERSONAL, ENCRYPTED, ERASED].contains(&name) {
        format!("\"{name}\"")
    } else {
        name.to_owned()
    }
}

fn output_function(type_oid: pg_sys::Oid) -> pg_sys::Oid {
    let (mut output, mut is_varlena) = (pg_sys::InvalidOid, false);
    // SAFETY: a catalog look-up that fills live locals.
    unsafe { pg_sys::getTypeOutputInfo(type_oid, &mut output, &mut is_varlena) };
    output
}

extern "C-unwind" {
    fn get_primary_key_attnos(
        relation: pg_sys::Oid,
        deferrable_ok: bool,
        constraint: *mut pg_sys::Oid,
    ) -> *mut pg_sys::Bitmapset;
}

/// The columns of the primary key, also of one that is checked at commit.
fn primary_key(relation: pg_sys::Oid, names: &[(i16, &str)]) -> Vec<usize> {
    let mut constraint = pg_sys::InvalidOid;
    // SAFETY: a catalog look-up that fills the live local; a set of NULL has no members.
    unsafe {
        let members = pg_sys::ffi::pg_guard_ffi_boundary(|| {
            get_primary_key_attnos(relation, true, &mut constraint)
        });
        (0..names.len())
            .filter(|index| {
                let number =
                    i32::from(names[*index].0) - pg_sys::FirstLowInvalidHeapAttributeNumber;
                pg_sys::bms_is_member(number, members)
            })
            .collect()
    }
}

/// Schema and name of the table that a partition belongs to, at whatever depth.
fn name_of_root(partition: pg_sys::Oid) -> Option<(String, String)> {
    // SAFETY: the function takes a relation's oid; look-ups of a relation that is not there give NULL.
    unsafe {
        let root = direct_function_call::<pg_sys::Oid>(
            pg_sys::pg_partition_root,
            &[partition.into_datum()],
        )?;
        let name = pg_sys::get_rel_name(root);
        (!name.is_null()).then(|| (schema_name(pg_sys::get_rel_namespace(root)), text_of(name)))
    }
}

fn schema_name(namespace: pg_sys::Oid) -> String {
    // SAFETY: a catalog look-up, NULL for a schema that is not there.
    unsafe { text_of(pg_sys::get_namespace_name(namespace)) }
}

fn quoted(schema: &str, name: &str) -> String {
    pgrx::spi::quote_qualified_identifier(schema, name)
}

/// # Safety
/// NULL or a C string.
unsafe fn text_of(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: as promised.
    unsafe { CStr::from_ptr(text) }
        .to_string_lossy()
        .into_owned()
}

/// Forgets what the server says has changed. The rules and the key are relations too: a trigger on them
/// sends such a message when their rows change, which follows commit and rollback by itself.
fn listen() {
    if IS_LISTENING.replace(true) {
        return;
    }
    // SAFETY: registers a function that lives as long as the library, which is never unloaded.
    unsafe { pg_sys::CacheRegisterRelcacheCallback(Some(forget), pg_sys::Datum::null()) };
}

unsafe extern "C-unwind" fn forget(_argument: pg_sys::Datum, relation: pg_sys::Oid) {
    FORGOTTEN.set(FORGOTTEN.get().wrapping_add(1));
    let is = |table: &Cell<pg_sys::Oid>| relation == pg_sys::InvalidOid || relation == table.get();
    // Nothing here can be borrowed: none of it is held while the server is called.
    if KEYS_TABLE.with(is) {
        REDACTOR.with_borrow_mut(|redactor| *redactor = None);
    }
    if RULES_TABLE.with(is) {
        RULES.with_borrow_mut(|rules| *rules = None);
        PLANS.with_borrow_mut(HashMap::clear);
    } else {
        PLANS.with_borrow_mut(|plans| plans.retain(|_, plan| plan.relation != relation));
    }
}

/// The installation's own rules.
fn rules() -> Rc<Vec<Rule>> {
    listen();
    if let Some(rules) = RULES.with_borrow(Clone::clone) {
        return rules;
    }
    let table = ledger_table(c"column_rules");
    RULES_TABLE.set(table);
    let before = FORGOTTEN.get();
    let mut rules = Vec::new();
    read_latest(table, |row| {
        let column_pattern = row.text("column_pattern");
        let treatment = row.text("treatment").and_then(|name| name.parse().ok());
        if let (Some(column_pattern), Some(treatment)) = (column_pattern, treatment) {
            rules.push(Rule {
                table_pattern: row.text("table_pattern"),
                column_pattern,
                treatment,
            });
        }
    });
    let rules = Rc::new(rules);
    if FORGOTTEN.get() == before {
        RULES.set(Some(rules.clone()));
    }
    rules
}

/// What digests secrets; None when there is no key, or no table for one.
pub fn redactor(make_key: impl FnOnce(pg_sys::Oid)) -> Option<Redactor> {
    listen();
    if let Some(redactor) = REDACTOR.with_borrow(Clone::clone) {
        return Some(redactor);
    }
    let table = ledger_table(c"redaction_keys");
    KEYS_TABLE.set(table);
    if table == pg_sys::InvalidOid {
        return None;
    }
    let mut before = FORGOTTEN.get();
    let mut redactor = oldest_key(table);
    if redactor.is_none() {
        make_key(table);
        before = FORGOTTEN.get();
        redactor = oldest_key(table);
    }
    if FORGOTTEN.get() == before {
        REDACTOR.set(redactor.clone());
    }
    redactor
}

/// The key that was made first, so that one that is restored beside another decides for all.
pub fn oldest_key(table: pg_sys::Oid) -> Option<Redactor> {
    let mut oldest: Option<(i64, Redactor)> = None;
    read_latest(table, |row| {
        let made = row
            .value::<pgrx::datum::TimestampWithTimeZone>("created_at")
            .map_or(i64::MAX, Into::into);
        let redactor = row.value::<&[u8]>("key").and_then(Redactor::new);
        if let Some(redactor) =
            redactor.filter(|_| oldest.as_ref().is_none_or(|(first, _)| made < *first))
        {
            oldest = Some((made, redactor));
        }
    });
    oldest.map(|(_, redactor)| redactor)
}

fn ledger_table(name: &CStr) -> pg_sys::Oid {
    // SAFETY: catalog look-ups by C strings; what is missing gives InvalidOid.
    unsafe {
        let namespace = pg_sys::get_namespace_oid(c"audits".as_ptr(), true);
        if namespace == pg_sys::InvalidOid {
            return namespace;
        }
        pg_sys::get_relname_relid(name.as_ptr(), namespace)
    }
}

/// A row of one of our small tables.
struct Row<'a> {
    descriptor: &'a PgTupleDesc<'a>,
    values: &'a [pg_sys::Datum],
    nulls: &'a [bool],
}

impl Row<'_> {
    fn value<T: FromDatum>(&self, column: &str) -> Option<T> {
        let place = self
            .descriptor
            .iter()
            .position(|attribute| !attribute.attisdropped && attribute.name() == column)?;
        // SAFETY: the tables are ours, and their columns have the types that are asked for.
        unsafe { T::from_datum(self.values[place], self.nulls[place]) }
    }

    fn text(&self, column: &str) -> Option<String> {
        self.value::<String>(column)
    }
}

/// Reads all rows of a table as they are now, whatever the transaction's snapshot is: what is kept
/// for later transactions must not be older than the last message to forget it. It is the
/// extension that reads, so no privilege is asked for.
fn read_latest(table: pg_sys::Oid, mut read: impl FnMut(&Row)) {
    if table == pg_sys::InvalidOid {
        return;
    }
    // SAFETY: the table is open and locked while it is scanned, the snapshot is registered, and the
    // arrays are as long as the table has columns. After an error the transaction's end frees all.
    unsafe {
        let relation = pg_sys::table_open(table, pg_sys::AccessShareLock as pg_sys::LOCKMODE);
        let descriptor = PgTupleDesc::from_pg_copy((*relation).rd_att);
        let snapshot = pg_sys::RegisterSnapshot(pg_sys::GetLatestSnapshot());
        let scan = pg_sys::systable_beginscan(
            relation,
            pg_sys::InvalidOid,
            false,
            snapshot,
            0,
            std::ptr::null_mut(),
        );
        let mut values = vec![pg_sys::Datum::null(); descriptor.len()];
        let mut nulls = vec![true; descriptor.len()];
        loop {
            let tuple = pg_sys::systable_getnext(scan);
            if tuple.is_null() {
                break;
            }
            pg_sys::heap_deform_tuple(
                tuple,
                (*relation).rd_att,
                values.as_mut_ptr(),
                nulls.as_mut_ptr(),
            );
            read(&Row {
                descriptor: &descriptor,
                values: &values,
                nulls: &nulls,
            });
        }
        pg_sys::systable_endscan(scan);
        pg_sys::UnregisterSnapshot(snapshot);
        pg_sys::table_close(relation, pg_sys::AccessShareLock as pg_sys::LOCKMODE);
    }
}

/// Name, treatment and whether it is a key, of each column of a table in its order; none of what is no table. The
/// arguments are as pg_trigger has them.
pub fn columns_of(table: pg_sys::Oid, arguments: &[u8]) -> Vec<(String, &'static str, bool)> {
    let texts = arguments
        .split(|byte| *byte == 0)
        .filter_map(|text| std::str::from_utf8(text).ok());
    let arguments = Arguments::parse(texts);
    // SAFETY: opened, read and closed; what is not there gives NULL.
    let mut plan = unsafe {
        let relation =
            pg_sys::try_relation_open(table, pg_sys::AccessShareLock as pg_sys::LOCKMODE);
        if relation.is_null() {
            return Vec::new();
        }
        let plan = make(relation, &arguments);
        pg_sys::relation_close(relation, pg_sys::AccessShareLock as pg_sys::LOCKMODE);
        plan
    };
    plan.columns.sort_by_key(|column| column.place);
    plan.columns
        .into_iter()
        .map(|column| (column.name, column.treatment.name(), column.is_key))
        .collect()
}
