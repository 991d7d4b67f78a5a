//! The partitions of observability.logs: held against being packed, and what can be known of them.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::ffi::{c_char, CStr};
use std::rc::Rc;

use pgrx::pg_sys::{self, Datum};

use super::plans::{run, Planning, Values};
use super::statements::{Parameter, PARTITIONS};
use crate::codeverify::changes::{generation, watch};
use crate::codeverify::partitions::bounds;
use crate::codeverify::transaction::reads_what_is_committed;

const SHARE: pg_sys::LOCKMODE = pg_sys::AccessShareLock as pg_sys::LOCKMODE;

/// Those that can have lines of a time.
#[derive(PartialEq, Eq)]
pub struct Held {
    /// With their bounds.
    pub partitions: Vec<(pg_sys::Oid, i64, i64)>,
    /// DEFAULT, or the table itself where there is none.
    pub other: pg_sys::Oid,
}

/// Locks what has lines from `since` on and before `until`, until the transaction ends, so that none of it leaves the
/// table between when it is found and when it is read.
pub fn hold(since: i64, until: i64) -> Held {
    let table = number_of(c"observability", c"logs");
    // SAFETY: a lock as any query of the table takes.
    unsafe { pg_sys::LockRelationOid(table, SHARE) };
    let mut held = hold_listed(table, since, until);
    // Whoever gives DEFAULT's lines a partition of their own keeps this waiting for DEFAULT. With the lock on that, what
    // is there now stays: until then, what was found may have been outdated while it was waited for.
    loop {
        let now = hold_listed(table, since, until);
        if now == held {
            return held;
        }
        held = now;
    }
}

fn hold_listed(table: pg_sys::Oid, since: i64, until: i64) -> Held {
    // SAFETY: the table is partitioned by ts. With its lock none is dropped before it is locked itself.
    let all = unsafe { bounds::list_by(table, false) };
    let mut held = Held {
        partitions: Vec::with_capacity(all.len()),
        other: table,
    };
    for partition in all {
        match partition.bounds {
            Some((lower, upper)) if lower < until && upper > since => {
                held.partitions.push((partition.table, lower, upper));
            }
            Some(_) => continue,
            None => held.other = partition.table,
        }
        // SAFETY: a lock on whatever has the number; what is gone is left out when it is read.
        unsafe { pg_sys::LockRelationOid(partition.table, SHARE) };
    }
    held
}

impl Held {
    /// Without the partitions that are newer than the snapshot: for it, their lines are still where they were before, in
    /// DEFAULT. To be called with SPI connected.
    pub fn seen(mut self) -> Held {
        if reads_what_is_committed() {
            return self;
        }
        let rows = run(PARTITIONS, Planning::Once, &Values::new());
        let seen: HashSet<i64> = (0..rows.count())
            .filter_map(|row| rows.number(row, 1))
            .collect();
        self.partitions
            .retain(|(partition, ..)| seen.contains(&i64::from(partition.to_u32())));
        self
    }
}

/// What the catalogs say of a partition.
pub struct Known {
    /// Its name, quoted.
    pub name: String,
    /// Whether an index has the words of messages, or what is in metadata.
    pub has_words: bool,
    pub has_meta: bool,
    /// Whether an index has the lines of an organization in the order of time.
    pub is_ordered: bool,
}

/// None for what is gone.
type All = HashMap<pg_sys::Oid, Option<Rc<Known>>>;

thread_local! {
    /// What is known at a generation.
    static KNOWN: RefCell<(u64, All)> = RefCell::default();
}

/// What the catalogs say of a partition that is held; None when it is gone. To be called while SPI is connected.
pub fn know(partition: pg_sys::Oid) -> Option<Rc<Known>> {
    let now = generation();
    let known = KNOWN.with_borrow_mut(|(then, known)| {
        if *then != now {
            known.clear();
            *then = now;
        }
        known.get(&partition).cloned()
    });
    known.unwrap_or_else(|| {
        watch(partition);
        let known = read(partition).map(Rc::new);
        KNOWN.with_borrow_mut(|(_, all)| all.insert(partition, known.clone()));
        known
    })
}

/// What [`Known`] is made of.
const CATALOGS: &str = "SELECT pg_catalog.format('%I.%I', n.nspname, t.relname), \
            coalesce(pg_catalog.bool_or(i.words), false), \
            coalesce(pg_catalog.bool_or(i.meta), false), \
            coalesce(pg_catalog.bool_or(i.ordered), false) \
     FROM pg_catalog.pg_class AS t \
     JOIN pg_catalog.pg_namespace AS n ON n.oid = t.relnamespace \
     LEFT JOIN LATERAL ( \
         SELECT CASE \
                    WHEN m.amname = 'gin' AND i.indkey[0] = 0 \
                    THEN pg_catalog.pg_get_indexdef(i.indexrelid, 1, false) \
                         = 'to_tsvector(''simple''::regconfig, \"left\"(message, 100000))' \
                END AS words, \
                m.amname = 'gin' AND a.attname = 'meta_json' AS meta, \
                m.amname = 'btree' AND a.attname = 'org_id' AND b.attname = 'ts' AS ordered \
         FROM pg_catalog.pg_index AS i \
         JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid \
         JOIN pg_catalog.pg_am AS m ON m.oid = c.relam \
         LEFT JOIN pg_catalog.pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0] \
         LEFT JOIN pg_catalog.pg_attribute AS b ON b.attrelid = i.indrelid AND b.attnum = i.indkey[1] \
         WHERE i.indrelid = t.oid AND i.indisvalid AND i.indpred IS NULL \
     ) AS i ON true \
     WHERE t.oid = $13 \
     GROUP BY n.nspname, t.relname";

/// By the catalogs as they are now, and not as the search sees lines: a transaction may have an older snapshot than the
/// partition, and what is kept is for those that come after it.
fn read(partition: pg_sys::Oid) -> Option<Known> {
    let mut values = Values::new();
    values.set(Parameter::Partition, Some(Datum::from(partition)));
    // SAFETY: given back below; after an error the (sub)transaction's end does it.
    unsafe { pg_sys::PushActiveSnapshot(pg_sys::GetLatestSnapshot()) };
    let rows = run(CATALOGS, Planning::Once, &values);
    // SAFETY: as above.
    unsafe { pg_sys::PopActiveSnapshot() };
    let is_set = |column| rows.get(0, column).is_some_and(|value| value.value() != 0);
    Some(Known {
        name: rows.text(0, 1)?,
        has_words: is_set(2),
        has_meta: is_set(3),
        is_ordered: is_set(4),
    })
}

/// Whether no partition of any table was ever packed, which spares a search the question.
pub fn nothing_is_packed() -> bool {
    let segments = number_of(c"codeverify", c"packed_segments");
    // SAFETY: a lock as any query of the table takes.
    unsafe { pg_sys::LockRelationOid(segments, SHARE) };
    is_empty(segments)
}

fn number_of(schema: &CStr, table: &CStr) -> pg_sys::Oid {
    // SAFETY: catalog look-ups by names that outlive them.
    unsafe {
        pg_sys::get_relname_relid(
            table.as_ptr(),
            pg_sys::get_namespace_oid(schema.as_ptr(), false),
        )
    }
}

/// Whether no line was ever stored in a partition that is held.
pub fn is_empty(partition: pg_sys::Oid) -> bool {
    // SAFETY: the relation is locked; it is closed again before its number of pages is used.
    unsafe {
        if pg_sys::get_rel_relkind(partition) != pg_sys::RELKIND_RELATION as c_char {
            return false;
        }
        let relation = pg_sys::try_relation_open(partition, pg_sys::NoLock as pg_sys::LOCKMODE);
        if relation.is_null() {
            return true;
        }
        let pages =
            pg_sys::RelationGetNumberOfBlocksInFork(relation, pg_sys::ForkNumber::MAIN_FORKNUM);
        pg_sys::relation_close(relation, pg_sys::NoLock as pg_sys::LOCKMODE);
        pages == 0
    }
}
