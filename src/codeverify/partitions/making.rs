//! Makes a partition: CREATE TABLE, what DEFAULT has for it, ATTACH. All in one, so that no row is ever missing and
//! nobody can use a part of it to take rows away.

use std::ffi::CString;

use pgrx::pg_sys;

use super::bounds::{self, Partition};
use super::period::{room_around, Period, Range};
use super::rows::{move_rows, Key};
use crate::audits::authority::{acting, Deed};
use crate::codeverify::errors::Error;
use crate::codeverify::owner::{
    as_owner, as_role, owner_for, set_for_now, without_warnings, OWNER_ROLE,
};
use crate::codeverify::query::{run_script, update, update_one};
use crate::codeverify::subtransaction::patiently;
use crate::codeverify::time;

/// What was made.
pub struct Made {
    pub partition: String,
    /// How many rows came from DEFAULT.
    pub moved: u64,
}

/// What SQL plans.
struct Plan {
    /// Quoted, with its schema.
    partition: String,
    partition_name: String,
    default: Option<pg_sys::Oid>,
    key_column: String,
    key_is_date: bool,
    creation: String,
    attachment: String,
}

/// Makes the partition for the period that a time is in, as far as there is room for it; None when the time has one.
pub fn make(parent: pg_sys::Oid, period: Period, at: i64) -> Result<Option<Made>, Error> {
    // Before the caller becomes codeverify_owner: it decides for whom they may act.
    let owner = owner_for(parent)?;
    as_owner(|| {
        // SAFETY: inside of the level of settings that as_owner() opened.
        unsafe { set_for_now(c"lock_timeout", c"500ms") };
        // Two that make the same one come one after the other. This lets readers and writers pass.
        patiently(|| {
            as_table_owner(
                owner,
                &format!(
                    "LOCK TABLE ONLY {} IN SHARE UPDATE EXCLUSIVE MODE",
                    name_of(parent)
                ),
            )
        });
        let Some(partitions) = bounds::list(parent) else {
            return Err(Error::NotASet {
                table: name_of(parent),
            });
        };
        let taken: Vec<Range> = partitions
            .iter()
            .filter_map(|Partition { bounds, .. }| *bounds)
            .collect();
        let Some(range) = room_around(&taken, period, at) else {
            return Ok(None);
        };
        let sibling = bounds::find_sibling(&partitions, None);
        let plan = plan(parent, sibling, range, period);
        // That it is not isolated yet is no news.
        without_warnings(|| as_table_owner(owner, &plan.creation));
        let partition = oid_of_neighbour(parent, &plan.partition_name);
        let moved = plan.default.map_or(Ok(0), |default| {
            drain(owner, default, partition, &plan, range)
        })?;
        // Readers of DEFAULT that are still at it keep the last step from being taken, not the others from being done.
        patiently(|| without_warnings(|| as_table_owner(owner, &plan.attachment)));
        finish(owner, parent, partition, sibling);
        Ok(Some(Made {
            partition: plan.partition,
            moved,
        }))
    })
}

/// Moves the rows of a range from DEFAULT into the new table. Readers go on meanwhile; who writes to DEFAULT waits.
fn drain(
    owner: pg_sys::Oid,
    default: pg_sys::Oid,
    partition: pg_sys::Oid,
    plan: &Plan,
    range: Range,
) -> Result<u64, Error> {
    let default_name = name_of(default);
    // With nothing in it there is nothing to lock out: ATTACH looks again, when it has locked it.
    if !holds_rows(default) {
        return Ok(0);
    }
    patiently(|| {
        as_table_owner(
            owner,
            &format!("LOCK TABLE ONLY {default_name} IN SHARE ROW EXCLUSIVE MODE"),
        )
    });
    let identity = update_one::<String>(
        "SELECT codeverify.replica_identity_clause($1::pg_catalog.oid)",
        &[default.into()],
    );
    let published = identity.filter(|_| {
        // SAFETY: reads a setting of the server.
        (unsafe { pg_sys::wal_level }) >= pg_sys::WalLevel::WAL_LEVEL_LOGICAL as i32
    });
    if published.is_some() {
        let statement = format!("ALTER TABLE {default_name} REPLICA IDENTITY NOTHING");
        patiently(|| as_table_owner(owner, &statement));
    }
    let key_name = CString::new(plan.key_column.as_str()).unwrap_or_default();
    let moved = move_rows(
        default,
        partition,
        &Key {
            name: &key_name,
            is_date: plan.key_is_date,
        },
        range,
    )?;
    if let Some(identity) = published {
        as_table_owner(owner, &format!("ALTER TABLE {default_name} {identity}"));
    }
    if moved > 0 {
        // That it has no indexes is no news either.
        without_warnings(|| as_table_owner(owner, &format!("REINDEX TABLE {}", plan.partition)));
    }
    Ok(moved)
}

/// What ATTACH does not bring.
fn finish(
    owner: pg_sys::Oid,
    parent: pg_sys::Oid,
    partition: pg_sys::Oid,
    sibling: Option<pg_sys::Oid>,
) {
    let statements: Vec<(String, bool)> = update(
        "SELECT s.statement, s.needs_codeverify \
         FROM codeverify.list_finishing_statements($1::pg_catalog.oid, $2::pg_catalog.oid, $3::pg_catalog.oid) AS s",
        &[parent.into(), partition.into(), sibling.into()],
        |rows| {
            rows.map(|row| {
                Ok((
                    row.get::<String>(1)?.unwrap_or_default(),
                    row.get::<bool>(2)?.unwrap_or(false),
                ))
            })
            .collect()
        },
    );
    for (statement, needs_codeverify) in statements {
        // A superuser's table is none that codeverify_owner can do anything to.
        // SAFETY: a look-up of a role.
        if needs_codeverify && !unsafe { pg_sys::superuser_arg(owner) } {
            run_script(&statement);
        } else {
            as_table_owner(owner, &statement);
        }
    }
}

/// Runs a statement as the owner of the set: our own tables as work of the extension, which the ledger's guard lets
/// pass.
fn as_table_owner(owner: pg_sys::Oid, statement: &str) {
    // SAFETY: a look-up of a role.
    let ours = owner == unsafe { pg_sys::get_role_oid(OWNER_ROLE.as_ptr(), true) };
    as_role(owner, || {
        if ours {
            acting(Deed::Maintenance, || run_script(statement));
        } else {
            run_script(statement);
        }
    });
}

fn plan(
    parent: pg_sys::Oid,
    sibling: Option<pg_sys::Oid>,
    (from, until): Range,
    period: Period,
) -> Plan {
    let (whole, name) = match period.around(from) {
        Some(whole) => (whole == (from, until), period.name()),
        None => (false, period.name()),
    };
    update(
        "SELECT p.partition, p.partition_name, p.default_partition, p.key_column, p.key_type = 'pg_catalog.date'::pg_catalog.regtype, \
                p.creation, p.attachment \
         FROM codeverify.plan_partition($1::pg_catalog.oid, $2::pg_catalog.oid, $3, $4, $5) AS p",
        &[
            parent.into(),
            sibling.into(),
            time::to_datum(time::from_stored(from)),
            time::to_datum(time::from_stored(until)),
            whole.then_some(name).into(),
        ],
        |rows| {
            let row = rows.first();
            Ok(Plan {
                partition: row.get::<String>(1)?.unwrap_or_default(),
                partition_name: row.get::<String>(2)?.unwrap_or_default(),
                default: row.get::<pg_sys::Oid>(3)?,
                key_column: row.get::<String>(4)?.unwrap_or_default(),
                key_is_date: row.get::<bool>(5)?.unwrap_or(false),
                creation: row.get::<String>(6)?.unwrap_or_default(),
                attachment: row.get::<String>(7)?.unwrap_or_default(),
            })
        },
    )
}

/// Quoted, with its schema.
fn name_of(table: pg_sys::Oid) -> String {
    update_one::<String>(
        "SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) \
         FROM pg_catalog.pg_class AS c \
         JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace \
         WHERE c.oid = $1",
        &[table.into()],
    )
    .unwrap_or_default()
}

/// A table by its name in the schema of another. Not by to_regclass(), which takes rights on the schema.
fn oid_of_neighbour(table: pg_sys::Oid, name: &str) -> pg_sys::Oid {
    let name = CString::new(name).unwrap_or_default();
    // SAFETY: catalog look-ups; the name lives as long as they take.
    unsafe { pg_sys::get_relname_relid(name.as_ptr(), pg_sys::get_rel_namespace(table)) }
}

/// Whether a row of it can be there: a table that never had one has no page.
fn holds_rows(table: pg_sys::Oid) -> bool {
    update_one::<bool>(
        "SELECT pg_catalog.pg_relation_size($1) > 0 \
            AND EXISTS (SELECT FROM pg_catalog.pg_class AS c WHERE c.oid = $1 AND c.relkind = 'r')",
        &[table.into()],
    ) == Some(true)
}
