//! Refuses LOCK TABLE in modes that shut others out to whoever does not own the table: to the server, a right to change
//! some rows is a right to lock the whole table, for as long as a transaction lasts.
//!
//! It holds in sessions that have loaded the library. Where nothing loads it when a session begins, one that calls none
//! of its functions first can still lock.

use std::collections::HashSet;
use std::ffi::{c_char, CStr};

use pgrx::prelude::*;
use pgrx::{GucContext, GucFlags, GucRegistry, GucSetting, PgList};

use crate::codeverify::errors::Error;
use crate::codeverify::owner::{has_role, owner_of, OWNER_ROLE};
use crate::codeverify::raise::raise;

static IS_REFUSED: GucSetting<bool> = GucSetting::<bool>::new(true);

static mut NEXT_HOOK: pg_sys::ProcessUtility_hook_type = None;

extern "C-unwind" {
    /// The server's own, and not pgrx's wrapper of it: an error on its way through that would lose an SQLSTATE that
    /// is not one of the server's, in every DO and CALL of everybody.
    fn standard_ProcessUtility(
        statement: *mut pg_sys::PlannedStmt,
        query: *const c_char,
        read_only_tree: bool,
        context: pg_sys::ProcessUtilityContext::Type,
        parameters: pg_sys::ParamListInfo,
        environment: *mut pg_sys::QueryEnvironment,
        destination: *mut pg_sys::DestReceiver,
        completion: *mut pg_sys::QueryCompletion,
    );
}

/// To be called once, when the library is loaded.
pub fn install() {
    GucRegistry::define_bool_guc(
        c"codeverify.refuse_table_locks",
        c"Whether LOCK TABLE is refused to those who do not own the tables of codeverify.",
        c"In modes stronger than ROW EXCLUSIVE, by sessions that have loaded the library. Off, whoever may update or delete rows of a table may lock everybody out of it.",
        &IS_REFUSED,
        GucContext::Suset,
        GucFlags::default(),
    );
    // SAFETY: the one thread of the process, before it runs a statement with the library.
    unsafe {
        NEXT_HOOK = pg_sys::ProcessUtility_hook;
        pg_sys::ProcessUtility_hook = Some(process_utility);
    }
}

/// Every utility statement passes through here, so it is a frame that nothing has to be cleaned up in: errors of what comes
/// next jump over it as they would over one in C.
// The hook of the server has as many.
#[allow(clippy::too_many_arguments)]
unsafe extern "C-unwind" fn process_utility(
    statement: *mut pg_sys::PlannedStmt,
    query: *const c_char,
    read_only_tree: bool,
    context: pg_sys::ProcessUtilityContext::Type,
    parameters: pg_sys::ParamListInfo,
    environment: *mut pg_sys::QueryEnvironment,
    destination: *mut pg_sys::DestReceiver,
    completion: *mut pg_sys::QueryCompletion,
) {
    // SAFETY: the server's own arguments, which go on as they are.
    unsafe {
        if (*(*statement).utilityStmt).type_ == pg_sys::NodeTag::T_LockStmt {
            check_lock((*statement).utilityStmt.cast());
        }
        let next = NEXT_HOOK.unwrap_or(standard_ProcessUtility);
        next(
            statement,
            query,
            read_only_tree,
            context,
            parameters,
            environment,
            destination,
            completion,
        );
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn check_lock(statement: *const pg_sys::LockStmt) {
    if IS_REFUSED.get() {
        // SAFETY: the server's own statement, about to be processed.
        unsafe { check(&*statement) };
    }
}

/// Ends the statement if it may not be.
///
/// # Safety
/// The statement is about to be processed.
unsafe fn check(statement: &pg_sys::LockStmt) {
    if statement.mode <= pg_sys::RowExclusiveLock as i32 {
        return;
    }
    // SAFETY: catalog look-ups in a transaction; the list is one of RangeVars.
    unsafe {
        let is_installed =
            pg_sys::get_extension_oid(c"codeverify".as_ptr(), true) != pg_sys::InvalidOid;
        if !is_installed || has_role(pg_sys::GetUserId(), OWNER_ROLE) {
            return;
        }
        let owner = pg_sys::get_role_oid(OWNER_ROLE.as_ptr(), true);
        let mut wanted: Vec<pg_sys::Oid> = PgList::<pg_sys::RangeVar>::from_pg(statement.relations)
            .iter_ptr()
            .map(|name| find(name))
            // Of the others the server itself says that they may not be locked.
            .filter(|relation| may_lock(*relation))
            .collect();
        // To lock a view is to lock all that it reads.
        let mut seen = HashSet::new();
        while let Some(relation) = wanted.pop() {
            if relation == pg_sys::InvalidOid || !seen.insert(relation) {
                continue;
            }
            if owner_of(relation) == owner {
                raise(Error::TableLockRefused {
                    table: name_of(relation),
                });
            }
            if pg_sys::get_rel_relkind(relation) == pg_sys::RELKIND_VIEW as c_char {
                wanted.extend(read_by(relation));
            }
        }
    }
}

/// Whether the server would let the user lock it in a mode that shuts others out.
///
/// # Safety
/// To be called in a transaction.
unsafe fn may_lock(relation: pg_sys::Oid) -> bool {
    let rights = pg_sys::ACL_UPDATE | pg_sys::ACL_DELETE | pg_sys::ACL_TRUNCATE;
    // SAFETY: as promised by the caller. One that is gone is nobody's to lock.
    unsafe {
        pg_sys::SearchSysCacheExists(
            pg_sys::SysCacheIdentifier::RELOID as i32,
            pg_sys::Datum::from(relation),
            pg_sys::Datum::null(),
            pg_sys::Datum::null(),
            pg_sys::Datum::null(),
        ) && pg_sys::pg_class_aclcheck(relation, pg_sys::GetUserId(), rights as pg_sys::AclMode)
            == pg_sys::AclResult::ACLCHECK_OK
    }
}

/// The relation of that name, which LOCK TABLE looks up again; it says what is wrong with one that is not there.
///
/// # Safety
/// The name is valid.
unsafe fn find(name: *mut pg_sys::RangeVar) -> pg_sys::Oid {
    // SAFETY: as promised by the caller; without a lock and a callback.
    unsafe {
        pg_sys::RangeVarGetRelidExtended(
            name,
            pg_sys::NoLock as pg_sys::LOCKMODE,
            pg_sys::RVROption::RVR_MISSING_OK,
            None,
            std::ptr::null_mut(),
        )
    }
}

/// pg_rewrite, which has the rules of views.
const RULES: pg_sys::Oid = pg_sys::Oid::from_u32(2618);

/// pg_depend and its indexes by (classid, objid) and by (refclassid, refobjid), which are of the same numbers for ever.
const DEPENDENCIES: pg_sys::Oid = pg_sys::Oid::from_u32(2608);
const BY_DEPENDENT: pg_sys::Oid = pg_sys::Oid::from_u32(2673);
const BY_REFERENCED: pg_sys::Oid = pg_sys::Oid::from_u32(2674);

/// Columns of pg_depend: the class of an object and its number.
const DEPENDENT: [i16; 2] = [1, 2];
const REFERENCED: [i16; 2] = [4, 5];

/// What a view's rule depends on: the relations that it reads, at whatever depth of its query.
///
/// # Safety
/// To be called in a transaction.
unsafe fn read_by(view: pg_sys::Oid) -> Vec<pg_sys::Oid> {
    let (rules, relations) = (RULES, pg_sys::RelationRelationId);
    // SAFETY: as promised by the caller; a view that is gone by now has no rule.
    unsafe {
        linked(
            BY_REFERENCED,
            (REFERENCED, [relations, view]),
            (DEPENDENT, rules),
        )
        .into_iter()
        .flat_map(|rule| {
            linked(
                BY_DEPENDENT,
                (DEPENDENT, [rules, rule]),
                (REFERENCED, relations),
            )
        })
        .collect()
    }
}

/// The objects of a class on the other end of an object's dependencies.
///
/// # Safety
/// To be called in a transaction; the index begins with the columns of `from`.
unsafe fn linked(
    index: pg_sys::Oid,
    from: ([i16; 2], [pg_sys::Oid; 2]),
    to: ([i16; 2], pg_sys::Oid),
) -> Vec<pg_sys::Oid> {
    let mut found = Vec::new();
    // SAFETY: the keys live during the scan, and a row until the next is fetched; no column of it is NULL.
    unsafe {
        let mut keys = [pg_sys::ScanKeyData::default(); 2];
        for (key, (column, value)) in keys.iter_mut().zip(from.0.into_iter().zip(from.1)) {
            pg_sys::ScanKeyInit(
                key,
                column,
                pg_sys::BTEqualStrategyNumber as u16,
                pg_sys::Oid::from(pg_sys::F_OIDEQ),
                pg_sys::Datum::from(value),
            );
        }
        let lock = pg_sys::AccessShareLock as pg_sys::LOCKMODE;
        let catalog = pg_sys::table_open(DEPENDENCIES, lock);
        let scan = pg_sys::systable_beginscan(
            catalog,
            index,
            true,
            std::ptr::null_mut(),
            2,
            keys.as_mut_ptr(),
        );
        loop {
            let tuple = pg_sys::systable_getnext(scan);
            if tuple.is_null() {
                break;
            }
            let oid = |column: i16| {
                let mut is_null = false;
                let value =
                    pg_sys::heap_getattr(tuple, i32::from(column), (*catalog).rd_att, &mut is_null);
                pg_sys::Oid::from(value.value() as u32)
            };
            if oid(to.0[0]) == to.1 {
                found.push(oid(to.0[1]));
            }
        }
        pg_sys::systable_endscan(scan);
        pg_sys::table_close(catalog, lock);
    }
    found
}

/// # Safety
/// To be called in a transaction.
unsafe fn name_of(relation: pg_sys::Oid) -> String {
    // SAFETY: catalog look-ups that return palloc'd C strings, or NULL for what is gone.
    unsafe {
        let schema = pg_sys::get_namespace_name(pg_sys::get_rel_namespace(relation));
        let name = pg_sys::get_rel_name(relation);
        [schema, name]
            .into_iter()
            .filter(|part| !part.is_null())
            .map(|part| CStr::from_ptr(part).to_string_lossy())
            .collect::<Vec<_>>()
            .join(".")
    }
}
