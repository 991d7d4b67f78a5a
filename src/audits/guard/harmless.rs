//! Which commands on the ledger's tables take nothing from it. The list is short on purpose: what is not
//! on it is refused, so that a new command of a later server is too.

use std::cell::Cell;
use std::ffi::CStr;

use pgrx::pg_sys::{self, AlterTableType as Action, NodeTag, ObjectType};

use crate::codeverify::owner::OWNER_ROLE;

thread_local! {
    /// The last CREATE TABLE found to make a plain partition. It is judged before it runs, since running it
    /// fills in what the parse tree left out.
    static PLAIN_PARTITION: Cell<*mut pg_sys::Node> = const { Cell::new(std::ptr::null_mut()) };
}

/// Looks at a command before it runs.
///
/// # Safety
/// `statement` is a parse tree.
pub unsafe fn look_ahead(statement: *mut pg_sys::Node) {
    // SAFETY: the node tag tells the type of each node.
    let plain = unsafe {
        (*statement).type_ == NodeTag::T_CreateStmt && is_plain_partition(&*statement.cast())
    };
    if plain {
        PLAIN_PARTITION.set(statement);
    } else if PLAIN_PARTITION.get() == statement {
        // A later command at the address of an earlier one.
        PLAIN_PARTITION.set(std::ptr::null_mut());
    }
}

/// Whether the command may change something of the ledger.
///
/// # Safety
/// `statement` is a parse tree.
pub unsafe fn is_harmless(statement: *mut pg_sys::Node) -> bool {
    // SAFETY: the node tag tells the type of each node.
    unsafe {
        match (*statement).type_ {
            // From 17 on, event triggers are told of REINDEX.
            NodeTag::T_CommentStmt | NodeTag::T_GrantStmt | NodeTag::T_ReindexStmt => true,
            NodeTag::T_AlterTableStmt => is_harmless_alteration(&*statement.cast()),
            NodeTag::T_CreateStmt => PLAIN_PARTITION.get() == statement,
            _ => false,
        }
    }
}

/// Whether the command adds a partition to a table, which must then be guarded, or may do so: what CREATE SCHEMA makes in
/// the schema is a part of that command.
///
/// # Safety
/// `statement` is a parse tree.
pub unsafe fn adds_partition(statement: *mut pg_sys::Node) -> bool {
    // SAFETY: the node tag tells the type of each node.
    unsafe {
        match (*statement).type_ {
            NodeTag::T_CreateStmt => !(*statement.cast::<pg_sys::CreateStmt>())
                .partbound
                .is_null(),
            NodeTag::T_AlterTableStmt => elements::<pg_sys::AlterTableCmd>(
                (*statement.cast::<pg_sys::AlterTableStmt>()).cmds,
            )
            .any(|command| (*command).subtype == Action::AT_AttachPartition),
            NodeTag::T_CreateSchemaStmt => !(*statement.cast::<pg_sys::CreateSchemaStmt>())
                .schemaElts
                .is_null(),
            _ => false,
        }
    }
}

/// The tables and indexes that a command names which commits before it ends, and cannot be refused then.
///
/// # Safety
/// `statement` is a parse tree.
pub unsafe fn concurrent_targets(statement: *mut pg_sys::Node) -> Vec<(Option<String>, String)> {
    // SAFETY: the node tag tells the type of each node.
    unsafe {
        match (*statement).type_ {
            NodeTag::T_IndexStmt => {
                let statement = &*statement.cast::<pg_sys::IndexStmt>();
                if statement.concurrent {
                    vec![name_of(statement.relation)]
                } else {
                    Vec::new()
                }
            }
            NodeTag::T_AlterTableStmt => {
                let statement = &*statement.cast::<pg_sys::AlterTableStmt>();
                let detaches = elements::<pg_sys::AlterTableCmd>(statement.cmds).any(|command| {
                    (*command).subtype == Action::AT_DetachPartition
                        || (*command).subtype == Action::AT_DetachPartitionFinalize
                });
                if detaches {
                    vec![name_of(statement.relation)]
                } else {
                    Vec::new()
                }
            }
            NodeTag::T_DropStmt => {
                let statement = &*statement.cast::<pg_sys::DropStmt>();
                if statement.concurrent {
                    elements::<pg_sys::List>(statement.objects)
                        .map(|names| name_of(pg_sys::makeRangeVarFromNameList(names)))
                        .collect()
                } else {
                    Vec::new()
                }
            }
            _ => Vec::new(),
        }
    }
}

/// What a command drops with everything in it: schemas by name, or what roles own. That could take the whole
/// extension away, event triggers first.
pub enum Clearance {
    Schemas(Vec<String>),
    Roles(Vec<pg_sys::Oid>),
}

/// # Safety
/// `statement` is a parse tree.
pub unsafe fn find_clearance(statement: *mut pg_sys::Node) -> Option<Clearance> {
    // SAFETY: the node tag tells the type of each node; DROP SCHEMA has a list of String nodes, DROP OWNED one
    // of roles.
    unsafe {
        match (*statement).type_ {
            NodeTag::T_DropStmt => {
                let statement = &*statement.cast::<pg_sys::DropStmt>();
                (statement.removeType == ObjectType::OBJECT_SCHEMA).then(|| {
                    Clearance::Schemas(
                        elements::<pg_sys::String>(statement.objects)
                            .map(|name| CStr::from_ptr((*name).sval).to_string_lossy().into_owned())
                            .collect(),
                    )
                })
            }
            NodeTag::T_DropOwnedStmt => {
                let statement = &*statement.cast::<pg_sys::DropOwnedStmt>();
                Some(Clearance::Roles(
                    elements::<pg_sys::RoleSpec>(statement.roles)
                        .map(|role| pg_sys::get_rolespec_oid(role, true))
                        .collect(),
                ))
            }
            _ => None,
        }
    }
}

/// Statistics targets, storage parameters, row security made stronger, and the owner that the tables have anyway.
fn is_harmless_alteration(statement: &pg_sys::AlterTableStmt) -> bool {
    // A view's options decide with whose rights it reads.
    if !matches!(
        statement.objtype,
        ObjectType::OBJECT_TABLE | ObjectType::OBJECT_INDEX
    ) {
        return false;
    }
    // SAFETY: the commands of ALTER TABLE are AlterTableCmd nodes; the role look-up takes one of them.
    elements::<pg_sys::AlterTableCmd>(statement.cmds).all(|command| unsafe {
        match (*command).subtype {
            Action::AT_SetRelOptions | Action::AT_ResetRelOptions => {
                are_storage_parameters((*command).def.cast())
            }
            Action::AT_SetStatistics
            | Action::AT_EnableRowSecurity
            | Action::AT_ForceRowSecurity => true,
            Action::AT_ChangeOwner => {
                pg_sys::get_rolespec_oid((*command).newowner, true)
                    == pg_sys::get_role_oid(OWNER_ROLE.as_ptr(), true)
            }
            _ => false,
        }
    })
}

/// An empty partition that is like the others: as the documents make next month's.
fn is_plain_partition(statement: &pg_sys::CreateStmt) -> bool {
    // SAFETY: a CREATE TABLE always names its relation.
    let permanent =
        unsafe { (*statement.relation).relpersistence } as u8 == pg_sys::RELPERSISTENCE_PERMANENT;
    permanent
        && !statement.partbound.is_null()
        && statement.partspec.is_null()
        && statement.tableElts.is_null()
        && statement.constraints.is_null()
        && statement.accessMethod.is_null()
}

/// Storage parameters of tables and indexes. Those of a view decide with whose rights it reads.
fn are_storage_parameters(options: *const pg_sys::List) -> bool {
    elements::<pg_sys::DefElem>(options).all(|option| {
        // SAFETY: the options of SET (...) are DefElem nodes with a name.
        let name = unsafe { CStr::from_ptr((*option).defname) }.to_string_lossy();
        name.starts_with("autovacuum_")
            || [
                "fillfactor",
                "log_autovacuum_min_duration",
                "parallel_workers",
                "toast_tuple_target",
                "vacuum_index_cleanup",
                "vacuum_truncate",
            ]
            .contains(&name.as_ref())
    })
}

/// # Safety
/// `relation` points to a RangeVar.
unsafe fn name_of(relation: *const pg_sys::RangeVar) -> (Option<String>, String) {
    // SAFETY: as promised by the caller; its names are C strings, the schema's may be NULL.
    unsafe {
        let schema = (*relation).schemaname;
        (
            (!schema.is_null()).then(|| CStr::from_ptr(schema).to_string_lossy().into_owned()),
            CStr::from_ptr((*relation).relname)
                .to_string_lossy()
                .into_owned(),
        )
    }
}

/// The elements of a parse tree's list of nodes.
fn elements<T>(list: *const pg_sys::List) -> impl Iterator<Item = *mut T> {
    // SAFETY: an empty list is NULL; any other has `length` cells, which hold pointers.
    let cells = unsafe {
        if list.is_null() {
            &[]
        } else {
            std::slice::from_raw_parts(
                (*list).elements,
                usize::try_from((*list).length).unwrap_or(0),
            )
        }
    };
    // SAFETY: as above: a list of nodes.
    cells.iter().map(|cell| unsafe { cell.ptr_value.cast() })
}
