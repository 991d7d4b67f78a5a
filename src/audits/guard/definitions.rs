//! The event triggers that refuse changes of definitions.
//!
//! What a command has touched is asked of the server afterwards, by object ids: names could mean another
//! table by then. The error undoes it. Only commands that commit on their way are judged before, by name.

use std::cell::RefCell;

use pgrx::datum::DatumWithOid;
use pgrx::pg_sys;
use pgrx::spi::{SpiError, SpiTupleTable};

use super::harmless::{
    adds_partition, concurrent_targets, find_clearance, is_harmless, look_ahead, Clearance,
};
use crate::audits::authority::{acting, is_acting, Deed};
use crate::codeverify::errors::Error;
use crate::codeverify::owner::as_owner;
use crate::codeverify::query::{run_script, update};

/// A relation of the ledger that its schema does not tell of after the command: a partition that is in another
/// one, with its indexes, or whatever may be about to be moved out.
struct Outsider {
    id: pg_sys::Oid,
    schema: String,
    name: String,
}

thread_local! {
    /// Those there were when the command began: once dropped, they can be looked up no more.
    static OUTSIDERS: RefCell<Vec<Outsider>> = const { RefCell::new(Vec::new()) };
}

/// A command under way, and the schema of the ledger.
pub struct Command {
    pub statement: *mut pg_sys::Node,
    pub tag: String,
    pub schema: pg_sys::Oid,
}

/// Whether whoever runs the command may change definitions: superusers, and the extension itself.
fn is_free() -> bool {
    // SAFETY: look-ups about the current role and the script that runs, if one does.
    unsafe {
        pg_sys::superuser()
            || is_acting(Deed::Maintenance)
            || pg_sys::creating_extension
                && pg_sys::CurrentExtensionObject
                    == pg_sys::get_extension_oid(c"codeverify".as_ptr(), true)
    }
}

/// Asks the catalog as the owner does: whoever runs the command may have no rights on functions of the ledger,
/// and a search_path with operators of their own.
fn ask<R>(
    sql: &'static str,
    arguments: &[DatumWithOid],
    read: impl FnOnce(SpiTupleTable) -> Result<R, SpiError>,
) -> R {
    // Not a read-only query: that would not see what the command has done.
    as_owner(|| update(sql, arguments, read))
}

/// The schemas that hold functions of the extension, and who owns those: dropping one of either with all that is
/// in it drops the extension. No function of the ledger is called here, whose schema may just have been renamed.
macro_rules! with_functions {
    ($query:literal) => {
        concat!(
            "WITH functions (schema, owner) AS ( \
                 SELECT p.pronamespace, p.proowner \
                 FROM pg_catalog.pg_extension AS e \
                 JOIN pg_catalog.pg_depend AS d ON d.refobjid = e.oid \
                 JOIN pg_catalog.pg_proc AS p ON p.oid = d.objid \
                 WHERE e.extname = 'codeverify' \
                   AND d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass \
                   AND d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass \
                   AND d.deptype = 'e') ",
            $query
        )
    };
}

fn outsider_ids() -> Vec<pg_sys::Oid> {
    OUTSIDERS.with_borrow(|outsiders| outsiders.iter().map(|outsider| outsider.id).collect())
}

impl Command {
    /// Before the command.
    ///
    /// # Safety
    /// The statement is a parse tree.
    pub unsafe fn begins(&self) -> Result<(), Error> {
        if is_free() {
            return Ok(());
        }
        // SAFETY: as promised by the caller.
        let moves = unsafe { (*self.statement).type_ } == pg_sys::NodeTag::T_AlterObjectSchemaStmt;
        OUTSIDERS.set(self.find_outsiders(moves));
        // SAFETY: as promised by the caller.
        let (targets, clearance) = unsafe {
            look_ahead(self.statement);
            if is_harmless(self.statement) {
                return Ok(());
            }
            (
                concurrent_targets(self.statement),
                find_clearance(self.statement),
            )
        };
        if let Some(object) = clearance.and_then(|clearance| self.find_cleared(clearance)) {
            return Err(self.refusal(object));
        }
        for (schema, name) in targets {
            if self.is_ours(schema.as_deref(), &name) {
                return Err(self.refusal(name));
            }
        }
        Ok(())
    }

    /// After the command dropped something.
    pub fn has_dropped(&self) -> Result<(), Error> {
        if is_free() {
            return Ok(());
        }
        let ids = outsider_ids();
        let outsiders = OUTSIDERS.take();
        let schemas: Vec<String> = outsiders.iter().map(|o| o.schema.clone()).collect();
        let names: Vec<String> = outsiders.iter().map(|o| o.name.clone()).collect();
        let dropped = ask(
            "SELECT d.object_identity \
             FROM pg_catalog.pg_event_trigger_dropped_objects() AS d \
             CROSS JOIN pg_catalog.pg_namespace AS n \
             WHERE n.oid = $1 \
               AND (d.schema_name = n.nspname \
                    OR d.classid = 'pg_catalog.pg_namespace'::pg_catalog.regclass AND d.objid = n.oid \
                    OR pg_catalog.cardinality(d.address_names) > 1 AND d.address_names[1] = n.nspname \
                    OR d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = ANY ($2) \
                    OR (d.address_names[1], d.address_names[2]) IN ( \
                        SELECT * FROM ROWS FROM (pg_catalog.unnest($3), pg_catalog.unnest($4)))) \
             ORDER BY d.original DESC \
             LIMIT 1",
            &[self.schema.into(), ids.into(), schemas.into(), names.into()],
            |mut rows| rows.next().map_or(Ok(None), |row| row.get::<String>(1)),
        );
        dropped.map_or(Ok(()), |object| Err(self.refusal(object)))
    }

    /// After the command.
    ///
    /// # Safety
    /// The statement is a parse tree.
    pub unsafe fn has_ended(&self) -> Result<(), Error> {
        // SAFETY: as promised by the caller.
        let (harmless, adds) =
            unsafe { (is_harmless(self.statement), adds_partition(self.statement)) };
        if !harmless && !is_free() {
            if let Some(object) = self.find_touched() {
                return Err(self.refusal(object));
            }
        }
        if adds {
            guard_new_partitions();
        }
        Ok(())
    }

    fn refusal(&self, object: String) -> Error {
        Error::LedgerDefinition {
            command: self.tag.clone(),
            object,
        }
    }

    fn find_outsiders(&self, moves: bool) -> Vec<Outsider> {
        let read = |rows: SpiTupleTable| {
            rows.map(|row| {
                Ok(Outsider {
                    id: row.get(1)?.unwrap_or(pg_sys::InvalidOid),
                    schema: row.get(2)?.unwrap_or_default(),
                    name: row.get(3)?.unwrap_or_default(),
                })
            })
            .collect::<Result<Vec<_>, SpiError>>()
        };
        // Before every command of anybody. An index is where its table is, so that only those of tables that are
        // elsewhere are looked at.
        let mut outsiders = ask(
            "WITH RECURSIVE family (id) AS ( \
                 SELECT p.oid FROM pg_catalog.pg_class AS p WHERE p.relname = 'audit_log' AND p.relnamespace = $1 \
                 UNION \
                 SELECT i.inhrelid FROM family AS f JOIN pg_catalog.pg_inherits AS i ON i.inhparent = f.id), \
             elsewhere (id) AS MATERIALIZED ( \
                 SELECT c.oid \
                 FROM family AS f \
                 JOIN pg_catalog.pg_class AS c ON c.oid = f.id \
                 WHERE c.relnamespace <> $1) \
             SELECT c.oid, n.nspname::text, c.relname::text \
             FROM ( \
                 SELECT e.id FROM elsewhere AS e \
                 UNION ALL \
                 SELECT i.indexrelid FROM elsewhere AS e JOIN pg_catalog.pg_index AS i ON i.indrelid = e.id \
             ) AS o \
             JOIN pg_catalog.pg_class AS c ON c.oid = o.id \
             JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace",
            &[self.schema.into()],
            read,
        );
        if moves {
            outsiders.extend(ask(
                "SELECT c.oid, '', '' FROM pg_catalog.pg_class AS c WHERE c.relnamespace = $1",
                &[self.schema.into()],
                read,
            ));
        }
        outsiders
    }

    /// What a clearance would take the ledger, or the extension with it, away by: a schema with functions of
    /// the extension, a role that owns some, or tables of the ledger.
    fn find_cleared(&self, clearance: Clearance) -> Option<String> {
        let read =
            |mut rows: SpiTupleTable| rows.next().map_or(Ok(None), |row| row.get::<String>(1));
        match clearance {
            Clearance::Schemas(names) => ask(
                with_functions!("SELECT 'schema ' || pg_catalog.quote_ident(n.nspname) \
                 FROM pg_catalog.pg_namespace AS n \
                 WHERE n.nspname::text = ANY ($2) \
                   AND (n.oid = $1 \
                        OR EXISTS (SELECT FROM functions AS f WHERE f.schema = n.oid) \
                        OR EXISTS ( \
                            SELECT FROM pg_catalog.pg_class AS c \
                            WHERE c.relnamespace = n.oid AND c.oid = ANY ($3))) \
                 LIMIT 1"),
                &[
                    self.schema.into(),
                    names.into(),
                    outsider_ids().into(),
                ],
                read,
            ),
            Clearance::Roles(roles) => ask(
                with_functions!("SELECT 'what ' || pg_catalog.quote_ident(r.rolname) || ' owns' \
                 FROM pg_catalog.pg_roles AS r \
                 WHERE r.oid = ANY ($2) \
                   AND (EXISTS (SELECT FROM functions AS f WHERE f.owner = r.oid) \
                        OR EXISTS ( \
                            SELECT FROM pg_catalog.pg_namespace AS n \
                            WHERE n.nspowner = r.oid \
                              AND n.oid IN (SELECT $1 UNION ALL SELECT f.schema FROM functions AS f)) \
                        OR EXISTS ( \
                            SELECT FROM pg_catalog.pg_class AS c \
                            WHERE c.relowner = r.oid AND (c.relnamespace = $1 OR c.oid = ANY ($3)))) \
                 LIMIT 1"),
                &[
                    self.schema.into(),
                    roles.into(),
                    outsider_ids().into(),
                ],
                read,
            ),
        }
    }

    /// Whether a relation of the ledger has the name; without a schema, in whichever schema.
    fn is_ours(&self, schema: Option<&str>, name: &str) -> bool {
        let is_outsider = OUTSIDERS.with_borrow(|outsiders| {
            outsiders.iter().any(|outsider| {
                outsider.name == name && schema.is_none_or(|schema| outsider.schema == schema)
            })
        });
        is_outsider
            || ask(
                "SELECT true \
                 FROM pg_catalog.pg_class AS c \
                 JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace \
                 WHERE n.oid = $1 \
                   AND c.relname = $2 \
                   AND ($3 IS NULL OR n.nspname = $3)",
                &[self.schema.into(), name.into(), schema.into()],
                |rows| Ok(!rows.is_empty()),
            )
    }

    /// Something of the ledger that the command has touched: in its schema, on or below a table of it, a
    /// function of the extension, or an extension that took one of its tables as a member.
    fn find_touched(&self) -> Option<String> {
        ask(
            with_functions!("SELECT d.object_identity \
             FROM pg_catalog.pg_event_trigger_ddl_commands() AS d \
             CROSS JOIN pg_catalog.pg_namespace AS n \
             CROSS JOIN LATERAL ( \
                 SELECT CASE d.classid \
                     WHEN 'pg_catalog.pg_class'::pg_catalog.regclass THEN coalesce( \
                         (SELECT i.indrelid FROM pg_catalog.pg_index AS i WHERE i.indexrelid = d.objid), d.objid) \
                     WHEN 'pg_catalog.pg_trigger'::pg_catalog.regclass THEN \
                         (SELECT g.tgrelid FROM pg_catalog.pg_trigger AS g WHERE g.oid = d.objid) \
                     WHEN 'pg_catalog.pg_policy'::pg_catalog.regclass THEN \
                         (SELECT p.polrelid FROM pg_catalog.pg_policy AS p WHERE p.oid = d.objid) \
                     WHEN 'pg_catalog.pg_rewrite'::pg_catalog.regclass THEN \
                         (SELECT r.ev_class FROM pg_catalog.pg_rewrite AS r WHERE r.oid = d.objid) \
                     WHEN 'pg_catalog.pg_constraint'::pg_catalog.regclass THEN \
                         (SELECT k.conrelid FROM pg_catalog.pg_constraint AS k WHERE k.oid = d.objid) \
                     WHEN 'pg_catalog.pg_statistic_ext'::pg_catalog.regclass THEN \
                         (SELECT s.stxrelid FROM pg_catalog.pg_statistic_ext AS s WHERE s.oid = d.objid) \
                 END \
             ) AS r (relation) \
             WHERE n.oid = $1 \
               AND (d.schema_name = n.nspname \
                    OR d.classid = 'pg_catalog.pg_namespace'::pg_catalog.regclass AND ( \
                        d.objid = n.oid \
                        OR EXISTS (SELECT FROM functions AS f WHERE f.schema = d.objid)) \
                    OR d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND EXISTS ( \
                        SELECT \
                        FROM pg_catalog.pg_depend AS m \
                        JOIN pg_catalog.pg_extension AS e ON e.oid = m.refobjid \
                        WHERE m.classid = d.classid AND m.objid = d.objid \
                          AND m.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass \
                          AND m.deptype = 'e' AND e.extname = 'codeverify') \
                    OR d.classid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND EXISTS ( \
                        SELECT \
                        FROM pg_catalog.pg_depend AS m \
                        LEFT JOIN pg_catalog.pg_class AS c \
                            ON c.oid = m.objid AND m.classid = 'pg_catalog.pg_class'::pg_catalog.regclass \
                        WHERE m.refclassid = d.classid AND m.refobjid = d.objid AND m.deptype = 'e' \
                          AND (c.relnamespace = n.oid \
                               OR m.classid = 'pg_catalog.pg_namespace'::pg_catalog.regclass AND ( \
                                   m.objid = n.oid \
                                   OR EXISTS (SELECT FROM functions AS f WHERE f.schema = m.objid)))) \
                    OR EXISTS ( \
                        WITH RECURSIVE family (id) AS ( \
                            SELECT r.relation \
                            UNION \
                            SELECT i.inhparent FROM pg_catalog.pg_inherits AS i JOIN family AS f ON f.id = i.inhrelid) \
                        SELECT FROM family AS f JOIN pg_catalog.pg_class AS c ON c.oid = f.id \
                        WHERE c.relnamespace = n.oid) \
                    OR r.relation = ANY ($2)) \
             LIMIT 1"),
            &[self.schema.into(), outsider_ids().into()],
            |mut rows| rows.next().map_or(Ok(None), |row| row.get::<String>(1)),
        )
    }
}

/// The triggers for rows come with a partition, those for statements do not. During a restore the ledger has
/// none yet, and the dump brings those of the partitions.
fn guard_new_partitions() {
    // Asked as the owner: whoever adds a partition to a table of their own has no rights here. Nearly always it is to
    // another table, which is soon seen by going up from what the command has touched.
    let is_unguarded = ask(
        "SELECT true \
         FROM pg_catalog.pg_event_trigger_ddl_commands() AS d \
         WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass \
           AND pg_catalog.pg_partition_root(d.objid) = pg_catalog.to_regclass('audits.audit_log') \
         LIMIT 1",
        &[],
        |rows| Ok(!rows.is_empty()),
    ) && ask(
        "SELECT true \
         FROM pg_catalog.pg_partition_tree(pg_catalog.to_regclass('audits.audit_log')) AS t \
         WHERE audits.refuses_statements(t.parentrelid) \
           AND NOT audits.refuses_statements(t.relid) \
         LIMIT 1",
        &[],
        |rows| Ok(!rows.is_empty()),
    );
    if !is_unguarded {
        return;
    }
    // As who added it, who owns both.
    acting(Deed::Maintenance, || {
        run_script(
            "SELECT audits.guard_partition(t.relid) \
             FROM pg_catalog.pg_partition_tree(pg_catalog.to_regclass('audits.audit_log')) AS t \
             WHERE audits.refuses_statements(t.parentrelid) \
               AND NOT audits.refuses_statements(t.relid)",
        );
    });
}
