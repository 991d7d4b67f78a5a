//! Writes outcomes into the ledger and auth.audit_logs.

use serde_json::{json, Value};
use uuid::Uuid;

use super::entry::Entry;
use crate::audits::chain::record::{append, jsonb, Subject};
use crate::codeverify::query::update;
use crate::codeverify::time;
use crate::tenancy::sql::{from_datum, to_datum};

/// Writes an entry, to be called as codeverify_owner. One that is written apart from what it tells of says when
/// that was; and the organization and the user may be gone by then, or on the way out, which nobody waits for.
pub fn write(entry: &Entry, is_apart: bool) {
    let mut details = entry.details.clone();
    let (mut org_id, mut user_id) = (entry.org_id, entry.user_id);
    if is_apart {
        details = entry.dated_details();
        let present = find_present(org_id, user_id);
        for (name, given, found) in [
            ("org_id", &mut org_id, present.0),
            ("user_id", &mut user_id, present.1),
        ] {
            if let Some(missing) = given.filter(|_| found.is_none()) {
                details.insert(name.to_owned(), json!(missing));
                *given = None;
            }
        }
    }
    let details = Value::Object(details);
    append(
        &Subject {
            ledger: org_id,
            entity: Some("auth"),
            action: Some(&entry.action),
            actor_id: user_id,
            resource_id: entry.resource_id,
            ip_address: entry.ip_address.as_deref(),
            user_agent: entry.user_agent.as_deref(),
        },
        jsonb(details.clone()),
    );
    update(
        "INSERT INTO auth.audit_logs \
             (org_id, user_id, action, resource, status, details, ip_address, user_agent, created_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        &[
            org_id.map(to_datum).into(),
            user_id.map(to_datum).into(),
            entry.action.as_str().into(),
            entry.resource_id.map(|id| id.to_string()).into(),
            entry.status().into(),
            jsonb(details),
            entry.ip_address.as_deref().into(),
            entry.user_agent.as_deref().into(),
            time::to_datum(entry.at),
        ],
        |_| Ok(()),
    );
}

/// What is there of an organization and a user, and stays until the transaction ends: the locks are those of the
/// foreign keys.
fn find_present(org_id: Option<Uuid>, user_id: Option<Uuid>) -> (Option<Uuid>, Option<Uuid>) {
    update(
        "SELECT (SELECT o.id FROM tenancy.organizations AS o WHERE o.id = $1 \
                 FOR KEY SHARE SKIP LOCKED), \
                (SELECT u.id FROM auth.users AS u WHERE u.id = $2 \
                 FOR KEY SHARE SKIP LOCKED)",
        &[org_id.map(to_datum).into(), user_id.map(to_datum).into()],
        |rows| {
            let row = rows.first();
            Ok((
                row.get::<pgrx::Uuid>(1)?.map(from_datum),
                row.get::<pgrx::Uuid>(2)?.map(from_datum),
            ))
        },
    )
}
