//! Appends an entry from inside the extension.

use pgrx::datum::DatumWithOid;
use pgrx::pg_sys;
use pgrx::JsonB;
use serde_json::Value;
use uuid::Uuid;

use super::held::Ledger;
use crate::codeverify::owner::as_owner;
use crate::codeverify::query::update_one;
use crate::tenancy::settings;
use crate::tenancy::sql::to_datum;

/// What an entry says besides its payload.
#[derive(Default)]
pub struct Subject<'a> {
    pub ledger: Ledger,
    pub entity: Option<&'a str>,
    pub action: Option<&'a str>,
    pub actor_id: Option<Uuid>,
    pub resource_id: Option<Uuid>,
    pub ip_address: Option<&'a str>,
    pub user_agent: Option<&'a str>,
}

/// Appends an entry and returns its id. `payload` is a jsonb or NULL.
pub fn append(subject: &Subject, payload: DatumWithOid) -> i64 {
    let id = as_owner(|| {
        update_one::<i64>(
            "INSERT INTO audits.audit_log \
                 (org_id, entity, action, actor_id, resource_id, payload, ip_address, user_agent) \
             VALUES ($1, $2, $3, $4, $5, coalesce($6, '{}'), $7, $8) \
             RETURNING id",
            &[
                subject.ledger.map(to_datum).into(),
                subject.entity.into(),
                subject.action.into(),
                subject.actor_id.map(to_datum).into(),
                subject.resource_id.map(to_datum).into(),
                payload,
                subject.ip_address.into(),
                subject.user_agent.into(),
            ],
        )
    });
    id.unwrap_or_default()
}

/// Appends what the user in context did to a resource of the organization in context; without a context it
/// goes to the platform's own ledger.
pub fn record(entity: &str, action: &str, resource_id: Option<Uuid>, payload: Value) -> i64 {
    append(
        &Subject {
            ledger: settings::org_id(),
            entity: Some(entity),
            action: Some(action),
            actor_id: settings::user_id(),
            resource_id,
            ..Subject::default()
        },
        jsonb(payload),
    )
}

/// A JSON value as the parameter of a query.
pub fn jsonb(value: Value) -> DatumWithOid<'static> {
    let datum = pgrx::IntoDatum::into_datum(JsonB(value));
    // SAFETY: the datum is a jsonb.
    datum.map_or(DatumWithOid::null_oid(pg_sys::JSONBOID), |datum| unsafe {
        DatumWithOid::new(datum, pg_sys::JSONBOID)
    })
}
