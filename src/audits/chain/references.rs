//! Stands for the foreign keys to organizations and users, which would lock the one organization row for
//! every entry and would not let entries outlive what they name.

use std::cell::Cell;

use pgrx::pg_sys;
use pgrx::{PgLogLevel, PgSqlErrorCode};
use uuid::Uuid;

use super::ledger::{organization_exists, user_exists};
use crate::codeverify::server::local_transaction;

/// What the last row that was checked named, and in which command.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Checked {
    transaction: u32,
    command: u32,
    org_id: Option<Uuid>,
    actor_id: Option<Uuid>,
}

thread_local! {
    static LAST: Cell<Option<Checked>> = const { Cell::new(None) };
}

/// Raises foreign_key_violation when the organization or the actor does not exist. The rows of one statement
/// mostly name the same, which are looked up once.
pub fn check(org_id: Option<Uuid>, actor_id: Option<Uuid>) {
    let now = Checked {
        transaction: local_transaction(),
        // SAFETY: as above.
        command: unsafe { pg_sys::GetCurrentCommandId(false) },
        org_id,
        actor_id,
    };
    if LAST.get() == Some(now) {
        return;
    }
    if let Some(id) = org_id {
        if !organization_exists(id) {
            raise("org_id", id, "organizations");
        }
    }
    if let Some(id) = actor_id {
        if !user_exists(id) {
            raise("actor_id", id, "users");
        }
    }
    LAST.set(Some(now));
}

fn raise(column: &str, id: Uuid, parent: &str) -> ! {
    pgrx::pg_sys::panic::ErrorReport::new(
        PgSqlErrorCode::ERRCODE_FOREIGN_KEY_VIOLATION,
        format!(
            "insert or update on table \"audit_log\" violates foreign key constraint \"audit_log_{column}_fkey\""
        ),
        "codeverify",
    )
    .set_detail(format!(
        "Key ({column})=({id}) is not present in table \"{parent}\"."
    ))
    .report(PgLogLevel::ERROR);
    unreachable!("an ERROR report does not return")
}
