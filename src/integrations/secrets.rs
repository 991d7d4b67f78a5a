//! The secrets of integrations.inbound_secrets, and which of them has signed a delivery.

use uuid::Uuid;

use super::payload::{origin, Origin};
use super::signature::Signature;
use crate::codeverify::encryption::columns::INBOUND_SECRET;
use crate::codeverify::encryption::{decrypt, encrypt};
use crate::codeverify::errors::Error;
use crate::codeverify::latest::{select_latest, Rows};
use crate::codeverify::query::update_one;
use crate::tenancy::sql::{from_datum, to_datum};

/// Bytes of a secret.
const LENGTHS: std::ops::RangeInclusive<usize> = 16..=1024;

/// A secret as it is stored.
struct Stored {
    id: Uuid,
    org_id: Option<Uuid>,
    text: String,
}

/// Who has signed a delivery.
pub struct Signer {
    pub secret_id: Uuid,
    /// The organization whose own secret it is; None for the App's.
    pub org_id: Option<Uuid>,
}

/// The secret that a body was signed with, among those that are good now, whatever the transaction's snapshot is: the
/// App's, or one of an organization that the body may come from. An error says that some cannot be decrypted, and none
/// of the others is it.
pub fn find_signer(
    provider: &str,
    body: &[u8],
    signature: Option<&str>,
) -> Result<Result<Signer, &'static str>, Error> {
    let Some(text) = signature else {
        return Ok(Err("it is not signed"));
    };
    let Some(signature) = Signature::parse(text) else {
        return Ok(Err(
            "the signature is not sha256= and 64 hexadecimal digits",
        ));
    };
    let of_app = secrets_of_app(provider);
    let among_these = find_among(&of_app, body, &signature);
    if let Ok(Some(signer)) = among_these {
        return Ok(Ok(signer));
    }
    let of_organizations = secrets_of_origin(provider, body);
    if let Some(signer) = find_among(&of_organizations, body, &signature)? {
        return Ok(Ok(signer));
    }
    among_these?;
    Ok(Err(if of_app.is_empty() && of_organizations.is_empty() {
        "no secret is set that it could be verified with: integrations.set_inbound_secret(...) sets one"
    } else {
        "it was not made of this body with a secret that is good"
    }))
}

fn find_among(
    secrets: &[Stored],
    body: &[u8],
    signature: &Signature,
) -> Result<Option<Signer>, Error> {
    let mut unreadable = None;
    for stored in secrets {
        match decrypt(&INBOUND_SECRET, stored.id, &stored.text) {
            Ok(secret) if signature.is_of(body, &secret) => {
                return Ok(Some(Signer {
                    secret_id: stored.id,
                    org_id: stored.org_id,
                }))
            }
            Ok(_) => {}
            Err(error) => unreadable = Some(error),
        }
    }
    unreadable.map_or(Ok(None), Err)
}

fn secrets_of_app(provider: &str) -> Vec<Stored> {
    select_latest(
        "SELECT s.id, s.org_id, s.secret_encrypted \
         FROM integrations.inbound_secrets AS s \
         WHERE s.provider = $1 AND s.org_id IS NULL \
         ORDER BY s.created_at DESC, s.id",
        &[provider.into()],
        read,
    )
}

fn secrets_of_origin(provider: &str, body: &[u8]) -> Vec<Stored> {
    // Where no organization has a secret of its own, nothing that anybody sends is parsed before it is verified.
    if !organizations_have_secrets(provider) {
        return Vec::new();
    }
    let origin = origin(body);
    if origin == Origin::default() {
        return Vec::new();
    }
    select_latest(
        "SELECT s.id, s.org_id, s.secret_encrypted \
         FROM integrations.inbound_secrets AS s \
         WHERE s.provider = $1 \
           AND s.org_id IN ( \
               SELECT r.org_id FROM scm.repositories AS r WHERE r.github_id = $2 \
               UNION \
               SELECT i.org_id FROM scm.installations AS i WHERE i.github_installation_id = $3 \
               UNION \
               SELECT o.id FROM tenancy.organizations AS o WHERE o.github_id = $4) \
         ORDER BY s.created_at DESC, s.id",
        &[
            provider.into(),
            origin.repository.into(),
            origin.installation.into(),
            origin.organization.into(),
        ],
        read,
    )
}

fn organizations_have_secrets(provider: &str) -> bool {
    select_latest(
        "SELECT s.id \
         FROM integrations.inbound_secrets AS s \
         WHERE s.provider = $1 AND s.org_id IS NOT NULL \
         LIMIT 1",
        &[provider.into()],
        |rows| rows.first().is_some(),
    )
}

fn read(rows: &Rows) -> Vec<Stored> {
    rows.iter()
        .filter_map(|row| {
            Some(Stored {
                id: row.get(1).map(from_datum)?,
                org_id: row.get(2).map(from_datum),
                text: row.get(3)?,
            })
        })
        .collect()
}

/// Stores a secret beside those that are good already.
pub fn add(provider: &str, secret: &str, org_id: Option<Uuid>) -> Result<Uuid, Error> {
    if provider != "github" {
        return Err(invalid("provider must be github"));
    }
    if !LENGTHS.contains(&secret.len()) {
        return Err(invalid("secret must have 16 to 1024 bytes"));
    }
    if let Some(org_id) = org_id.filter(|org_id| !organization_exists(*org_id)) {
        return Err(Error::NoSuchOrganization {
            org_id: org_id.to_string(),
        });
    }
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(|_| Error::NoRandomness)?;
    let id = uuid::Builder::from_random_bytes(random).into_uuid();
    let text = encrypt(&INBOUND_SECRET, id, secret.as_bytes())?;
    // Each of them is tried for a delivery that is signed with none.
    let added: Option<pgrx::Uuid> = update_one(
        "INSERT INTO integrations.inbound_secrets (id, provider, org_id, secret_encrypted) \
         SELECT $1, $2, $3, $4 \
         WHERE (SELECT count(*) \
                FROM integrations.inbound_secrets AS s \
                WHERE s.provider = $2 AND s.org_id IS NOT DISTINCT FROM $3) < 4 \
         RETURNING id",
        &[
            to_datum(id).into(),
            provider.into(),
            org_id.map(to_datum).into(),
            text.into(),
        ],
    );
    added
        .map(from_datum)
        .ok_or(invalid("four are good already"))
}

fn organization_exists(org_id: Uuid) -> bool {
    select_latest(
        "SELECT o.id FROM tenancy.organizations AS o WHERE o.id = $1",
        &[to_datum(org_id).into()],
        |rows| rows.first().is_some(),
    )
}

fn invalid(problem: &'static str) -> Error {
    Error::InvalidInboundSecret { problem }
}
