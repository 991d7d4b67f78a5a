//! Functions of schema audits; their comments and grants are in sql/audits/erasure.sql.

use pgrx::pg_sys::{self, Datum, FunctionCallInfo};
use pgrx::prelude::*;
use pgrx::JsonB;
use serde_json::json;
use uuid::Uuid;

use super::fields::{mentions, ENCRYPTED};
use super::keys::{self, Found};
use super::revealing::{self, Reader};
use super::rules;
use crate::audits::authority::{acting, Deed};
use crate::codeverify::errors::Error;
use crate::codeverify::jsonb::{from_text, Jsonb, JsonbArgument};
use crate::codeverify::owner::{as_owner, caller_has_role, OWNER_ROLE};
use crate::codeverify::query::update;
use crate::codeverify::raise::or_raise;
use crate::codeverify::snapshot::require_read_committed;
use crate::tenancy::settings;
use crate::tenancy::sql::{from_datum, to_datum};

extension_sql_file!(
    "../../../sql/audits/erasure.sql",
    name = "audits_erasure",
    requires = [erase_subject, readmit_subject, reveal]
);

#[pg_extern(schema = "audits", volatile, parallel_unsafe)]
fn erase_subject(subject_id: pgrx::Uuid) -> JsonB {
    or_raise(require_read_committed("audits.erase_subject", "VC061"));
    let subject = from_datum(subject_id);
    let erased = as_owner(|| {
        // Waits for transactions that make a key for the subject; what they make is erased too.
        keys::lock_subject(subject, pg_sys::ExclusiveLock);
        let (erased, keys) = acting(Deed::Maintenance, || keys::erase(subject));
        record("subject.erased", subject, keys);
        erased
    });
    JsonB(json!({ "subject": subject.to_string(), "keys": erased }))
}

#[pg_extern(schema = "audits", volatile, parallel_unsafe)]
fn readmit_subject(subject_id: pgrx::Uuid) -> bool {
    let subject = from_datum(subject_id);
    or_raise(as_owner(|| {
        keys::lock_subject(subject, pg_sys::ExclusiveLock);
        let is_erased = matches!(keys::find_by_subject(subject), Found::Erased);
        if is_erased {
            let key = keys::create(subject)?;
            record("subject.readmitted", subject, vec![key.id]);
        }
        Ok::<bool, Error>(is_erased)
    }))
}

/// Puts it on record in the platform's own ledger, with the ids of the keys that it concerns: verification compares them
/// with those that there are.
fn record(action: &str, subject: Uuid, keys: Vec<Uuid>) {
    let keys: Vec<pgrx::Uuid> = keys.into_iter().map(to_datum).collect();
    update(
        "INSERT INTO audits.audit_log (org_id, entity, action, actor_id, resource_id, payload) \
         VALUES (NULL, 'audits.subject_keys', $1, $2, $3, jsonb_build_object('by', session_user, 'keys', $4))",
        &[
            action.into(),
            settings::user_id().map(to_datum).into(),
            to_datum(subject).into(),
            keys.into(),
        ],
        |_| Ok(()),
    );
}

#[pg_extern(schema = "audits", stable, parallel_restricted)]
fn reveal(payload: JsonbArgument) -> Jsonb {
    let Some(reader) = reader().filter(|_| mentions(payload.container(), ENCRYPTED)) else {
        return payload.into_jsonb();
    };
    let revealed = revealing::reveal(payload.text(), reader).and_then(|text| from_text(&text));
    revealed.map_or_else(|| payload.into_jsonb(), Jsonb)
}

fn reader() -> Option<Reader> {
    let reads_all = [c"codeverify_admin", c"codeverify_auditor", OWNER_ROLE]
        .into_iter()
        .any(caller_has_role);
    if reads_all {
        return Some(Reader::Everyones);
    }
    settings::org_id().map(Reader::Organization)
}

/// The trigger function audits.forget_personal_fields().
///
/// # Safety
/// Called by the server.
#[no_mangle]
#[pg_guard]
pub unsafe extern "C-unwind" fn codeverify_forget_personal_fields(
    _call: FunctionCallInfo,
) -> Datum {
    rules::tell_changed();
    // What a trigger AFTER returns is not looked at.
    Datum::null()
}

/// The server looks this up beside the function to learn how to call it.
#[no_mangle]
pub extern "C-unwind" fn pg_finfo_codeverify_forget_personal_fields(
) -> &'static pg_sys::Pg_finfo_record {
    &pg_sys::Pg_finfo_record { api_version: 1 }
}
