//! Functions of schema audits that make entries; their comments and grants are in sql/audits/append.sql.

use pgrx::pg_sys::{self, Datum, FunctionCallInfo};
use pgrx::prelude::*;
use uuid::Uuid;

use super::columns::NewRow;
use super::lane;
use super::record::{self, Subject};
use super::trigger;
use crate::audits::erasure::sealing::{self, People};
use crate::codeverify::errors::Error;
use crate::codeverify::jsonb::JsonbArgument;
use crate::codeverify::owner::caller_has_role;
use crate::codeverify::raise::{or_raise, raise};
use crate::tenancy::context::require_permission;
use crate::tenancy::permission::Permission;
use crate::tenancy::settings;
use crate::tenancy::sql::{from_datum, to_datum};

extension_sql_file!(
    "../../../sql/audits/append.sql",
    name = "audits_append",
    requires = [append, create_event_id]
);

/// The trigger function audits.chain_entry(). Written against the server's own interface: pgrx's wrapper
/// looks every column up by name, for every row.
///
/// # Safety
/// Called by the server.
#[no_mangle]
#[pg_guard]
pub unsafe extern "C-unwind" fn codeverify_chain_entry(call: FunctionCallInfo) -> Datum {
    let insert_row_before =
        pg_sys::TRIGGER_EVENT_INSERT | pg_sys::TRIGGER_EVENT_ROW | pg_sys::TRIGGER_EVENT_BEFORE;
    let event_mask =
        pg_sys::TRIGGER_EVENT_OPMASK | pg_sys::TRIGGER_EVENT_ROW | pg_sys::TRIGGER_EVENT_TIMINGMASK;
    // SAFETY: a trigger's call has a TriggerData as its context, which the node tag tells; its row and
    // relation live until the function returns.
    unsafe {
        let context = (*call).context;
        let data = context.cast::<pg_sys::TriggerData>();
        if context.is_null()
            || (*context).type_ != pg_sys::NodeTag::T_TriggerData
            || (*data).tg_event & event_mask != insert_row_before
        {
            raise(Error::NotTheLedgersTrigger);
        }
        lane::follow_transactions();
        let row = NewRow::read((*data).tg_relation, (*data).tg_trigtuple);
        Datum::from(trigger::complete(row))
    }
}

/// The server looks this up beside the function to learn how to call it.
#[no_mangle]
pub extern "C-unwind" fn pg_finfo_codeverify_chain_entry() -> &'static pg_sys::Pg_finfo_record {
    &pg_sys::Pg_finfo_record { api_version: 1 }
}

/// Ids that begin with the time: entries made together are together in the index, however many there are.
#[pg_extern(schema = "audits", volatile, parallel_safe)]
fn create_event_id() -> pgrx::Uuid {
    to_datum(Uuid::now_v7())
}

#[pg_extern(schema = "audits", volatile, parallel_unsafe)]
#[allow(clippy::too_many_arguments)]
fn append(
    entity: Option<&str>,
    action: Option<&str>,
    payload: default!(Option<JsonbArgument>, "'{}'"),
    actor_id: default!(Option<pgrx::Uuid>, "NULL"),
    org_id: default!(Option<pgrx::Uuid>, "NULL"),
    resource_id: default!(Option<pgrx::Uuid>, "NULL"),
    ip_address: default!(Option<&str>, "NULL"),
    user_agent: default!(Option<&str>, "NULL"),
) -> i64 {
    let subject = Subject {
        ledger: or_raise(choose_ledger(org_id.map(from_datum))),
        entity,
        action,
        actor_id: or_raise(choose_actor(actor_id.map(from_datum))),
        resource_id: resource_id.map(from_datum),
        ip_address,
        user_agent,
    };
    // Here and not in the trigger alone: an error of our own would lose its code on the way through SPI.
    or_raise(trigger::check_action(action.unwrap_or_default()));
    // SAFETY: the caller's role: the insert runs as the owner, who may say anything.
    let caller = unsafe { pgrx::pg_sys::GetUserId() };
    or_raise(trigger::check_entity(subject.ledger, entity, caller));
    if let Some(payload) = &payload {
        let people = People {
            actor_id: subject.actor_id,
            resource_id: subject.resource_id,
        };
        or_raise(sealing::check(payload, entity, people));
    }
    record::append(&subject, JsonbArgument::parameter(payload.as_ref()))
}

/// Whose ledger the entry goes to: a context's own; without one, trusted roles say.
fn choose_ledger(asked: Option<Uuid>) -> Result<Option<Uuid>, Error> {
    if settings::org_id().is_none() && is_trusted() {
        return Ok(asked);
    }
    let own = require_permission(Permission::Write)?;
    match asked {
        Some(other) if other != own => Err(Error::AnotherLedger),
        _ => Ok(Some(own)),
    }
}

/// Who did it: the context's user; trusted roles may name another.
fn choose_actor(asked: Option<Uuid>) -> Result<Option<Uuid>, Error> {
    let own = settings::user_id();
    match asked {
        Some(other) if Some(other) != own && !is_trusted() => Err(Error::AnotherActor),
        Some(other) => Ok(Some(other)),
        None => Ok(own),
    }
}

fn is_trusted() -> bool {
    caller_has_role(c"codeverify_service") || caller_has_role(c"codeverify_admin")
}
