//! Functions of inbound deliveries that need Rust; their comments and grants are in sql/integrations/inbound_secrets.sql,
//! sql/integrations/inbound_deliveries.sql and sql/scm/installations.sql.

use pgrx::prelude::*;
use pgrx::JsonB;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::{claims, payload, secrets};
use crate::auth::outcomes::{count_unknown, Unknown};
use crate::codeverify::errors::Error;
use crate::codeverify::owner::{as_owner, caller_has_role};
use crate::codeverify::raise::or_raise;
use crate::codeverify::unlogged_statement::UnloggedStatement;
use crate::tenancy::settings;
use crate::tenancy::sql::{from_datum, to_datum};

extension_sql_file!(
    "../../sql/integrations/inbound_secrets.sql",
    name = "integrations_inbound_secrets",
    requires = [set_inbound_secret]
);
extension_sql_file!(
    "../../sql/integrations/inbound_deliveries.sql",
    name = "integrations_inbound_deliveries",
    requires = [read_delivery]
);

extension_sql_file!(
    "../../sql/scm/installations.sql",
    name = "scm_installations",
    requires = [lock_installation]
);

#[pg_extern(schema = "integrations", volatile, parallel_unsafe)]
fn set_inbound_secret(
    provider: Option<&str>,
    secret: Option<&str>,
    org_id: default!(Option<pgrx::Uuid>, "NULL"),
) -> pgrx::Uuid {
    let _unlogged = UnloggedStatement::begin();
    // Whoever knows a secret can make deliveries, so a tenant must not choose that of another, or the App's.
    or_raise(require_operator());
    let (provider, secret) = (provider.unwrap_or_default(), secret.unwrap_or_default());
    let added = as_owner(|| secrets::add(provider, secret, org_id.map(from_datum)));
    to_datum(or_raise(added))
}

fn require_operator() -> Result<(), Error> {
    let is_operator =
        caller_has_role(c"codeverify_service") || caller_has_role(c"codeverify_admin");
    if is_operator && settings::org_id().is_none() {
        Ok(())
    } else {
        Err(Error::NotTheService)
    }
}

/// What a delivery says and who has signed it; or why it is not taken.
#[pg_extern(schema = "integrations", volatile, parallel_unsafe)]
fn read_delivery(
    provider: Option<&str>,
    event: Option<&str>,
    body: Option<&[u8]>,
    signature: Option<&str>,
) -> JsonB {
    let body = body.unwrap_or_default();
    let found = secrets::find_signer(provider.unwrap_or_default(), body, signature);
    let signer = match or_raise(found) {
        Ok(signer) => signer,
        Err(problem) => {
            // Anybody can send such: it is counted and leaves nothing else.
            count_unknown(Unknown::Delivery);
            return JsonB(json!({ "status": "invalid_signature", "problem": problem }));
        }
    };
    JsonB(match payload::read(event.unwrap_or_default(), body) {
        Ok(facts) => json!({
            "status": "verified",
            "secret_id": signer.secret_id.to_string(),
            "org_id": signer.org_id.map(|org_id| org_id.to_string()),
            "payload_hash": hex::encode(Sha256::digest(body)),
            "facts": facts,
        }),
        Err(problem) => json!({ "status": "malformed", "problem": problem }),
    })
}

#[pg_extern(schema = "scm", volatile, parallel_unsafe)]
fn lock_installation(installation: i64, for_claim: bool) {
    claims::lock(installation, for_claim);
}
