//! Functions of web tokens that need Rust; their comments and grants are in sql/tenancy/web_tokens.sql and
//! sql/auth/jwt_keys.sql.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use base64::engine::DecodePaddingMode;
use base64::{alphabet, Engine};
use pgrx::prelude::*;
use pgrx::JsonB;
use serde_json::json;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::claims::{Claims, Expected, Refusal};
use super::key::{Algorithm, Key};
use super::outcome::{note_refusal, note_use, Shown};
use super::settings::leeway;
use super::token::WebToken;
use crate::auth::caller::require_service;
use crate::auth::outcomes::{count_unknown, Unknown};
use crate::codeverify::encryption::columns::JWT_SECRET;
use crate::codeverify::encryption::{decrypt, encrypt};
use crate::codeverify::errors::Error;
use crate::codeverify::latest::{select_latest, Rows};
use crate::codeverify::owner::as_owner;
use crate::codeverify::query::update_one;
use crate::codeverify::raise::or_raise;
use crate::codeverify::unlogged_statement::UnloggedStatement;
use crate::tenancy::context::{self, Identity};
use crate::tenancy::permission::MemberRole;
use crate::tenancy::settings;
use crate::tenancy::sql::{from_datum, to_datum};

extension_sql_file!(
    "../../../sql/tenancy/web_tokens.sql",
    name = "tenancy_web_tokens",
    requires = [authenticate_web_token]
);
extension_sql_file!(
    "../../../sql/auth/jwt_keys.sql",
    name = "auth_jwt_keys",
    requires = [add_jwt_key]
);

// ---- tokens

#[pg_extern(schema = "tenancy", volatile, parallel_unsafe)]
fn authenticate_web_token(
    token: Option<&str>,
    org_id: default!(Option<pgrx::Uuid>, "NULL"),
) -> JsonB {
    let _unlogged = UnloggedStatement::begin();
    let Some(token) = token.and_then(WebToken::parse) else {
        return refused("invalid");
    };
    let Some((key, claims)) = verify(token) else {
        count_unknown(Unknown::WebToken);
        return refused("invalid");
    };
    let bearer = match find_bearer(&key, &claims, org_id.map(from_datum)) {
        Ok(bearer) => bearer,
        Err(refusal) => {
            // Every client learns by the first that it is time for a new token, or that it has to choose.
            if !matches!(refusal.status, "expired" | "org_required") {
                note_refusal(key.shown(refusal.user_id, refusal.org_id), refusal.status);
            }
            return refused(refusal.status);
        }
    };
    let is_first = settings::org_id().is_none();
    or_raise(context::set(Identity {
        org_id: bearer.org_id,
        user_id: Some(bearer.user_id),
        role: bearer.role,
        api_key_id: None,
    }));
    if is_first {
        note_use(key.shown(Some(bearer.user_id), Some(bearer.org_id)));
    }
    JsonB(json!({
        "status": "ok",
        "org_id": bearer.org_id.to_string(),
        "user_id": bearer.user_id.to_string(),
        "role": bearer.role.name(),
    }))
}

fn refused(status: &str) -> JsonB {
    JsonB(json!({ "status": status, "org_id": null, "user_id": null, "role": null }))
}

/// What a verified token stands for.
struct Bearer {
    org_id: Uuid,
    user_id: Uuid,
    role: MemberRole,
}

/// Why a token that an issuer did sign is not taken, and whose it is as far as that is known.
struct Refused {
    status: &'static str,
    user_id: Option<Uuid>,
    org_id: Option<Uuid>,
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Refused {
        Refused {
            status: match refusal {
                Refusal::Invalid => "invalid",
                Refusal::Expired => "expired",
                Refusal::NotYetValid => "not_yet_valid",
            },
            user_id: None,
            org_id: None,
        }
    }
}

/// The claims, if one of the keys that are believed has signed them.
fn verify(token: WebToken) -> Option<(StoredKey, Claims)> {
    let stored = as_owner(|| find_key(token.issuer(), token.key_id()))?;
    let key = or_raise(stored.read())?;
    let claims = token.verify(&key)?;
    Some((stored, claims))
}

fn find_bearer(key: &StoredKey, claims: &Claims, org_id: Option<Uuid>) -> Result<Bearer, Refused> {
    claims.check(&Expected {
        issuer: &key.issuer,
        audience: key.audience.as_deref(),
        now: SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(f64::INFINITY, |since| since.as_secs_f64()),
        leeway: leeway(),
    })?;
    let subject = claims.subject().ok_or(Refusal::Invalid)?;
    let claimed = claims.organization(&key.org_claim)?;
    let no_membership = |user_id| Refused {
        status: "no_membership",
        user_id,
        org_id: org_id.or(claimed),
    };
    let user_id =
        as_owner(|| find_user(&key.subject, subject)).ok_or_else(|| no_membership(None))?;
    // A token that names an organization is for that one.
    if org_id.is_some() && claimed.is_some() && org_id != claimed {
        return Err(no_membership(Some(user_id)));
    }
    let memberships = as_owner(|| find_memberships(user_id, org_id.or(claimed)));
    match memberships[..] {
        [] => Err(no_membership(Some(user_id))),
        [(org_id, role)] => Ok(Bearer {
            org_id,
            user_id,
            role,
        }),
        _ => Err(Refused {
            status: "org_required",
            user_id: Some(user_id),
            org_id: None,
        }),
    }
}

fn find_user(subject_is: &str, subject: &str) -> Option<Uuid> {
    let read = |rows: &Rows| rows.first()?.get(1).map(from_datum);
    if subject_is == "auth0_sub" {
        select_latest(
            "SELECT id FROM auth.users WHERE auth0_sub = $1",
            &[subject.into()],
            read,
        )
    } else {
        select_latest(
            "SELECT id FROM auth.users WHERE id = $1",
            &[to_datum(Uuid::try_parse(subject).ok()?).into()],
            read,
        )
    }
}

/// The user's membership in the organization; where none is named, the only one there is, or two.
fn find_memberships(user_id: Uuid, org_id: Option<Uuid>) -> Vec<(Uuid, MemberRole)> {
    select_latest(
        "SELECT org_id, role FROM tenancy.org_memberships \
         WHERE user_id = $1 AND org_id = coalesce($2, org_id) \
         LIMIT 2",
        &[to_datum(user_id).into(), org_id.map(to_datum).into()],
        |rows| {
            rows.iter()
                .filter_map(|row| {
                    let org_id = row.get(1).map(from_datum)?;
                    let role = row.get::<String>(2)?.parse().ok()?;
                    Some((org_id, role))
                })
                .collect()
        },
    )
}

// ---- keys

/// A row of auth.jwt_keys.
struct StoredKey {
    id: Uuid,
    algorithm: String,
    public_key: Option<String>,
    secret_encrypted: Option<String>,
    issuer: String,
    audience: Option<String>,
    org_claim: String,
    subject: String,
}

impl StoredKey {
    fn shown(&self, user_id: Option<Uuid>, org_id: Option<Uuid>) -> Shown<'_> {
        Shown {
            jwt_key_id: self.id,
            issuer: &self.issuer,
            user_id,
            org_id,
        }
    }

    /// The key itself; None for one that would not be taken today.
    fn read(&self) -> Result<Option<Key>, Error> {
        let Ok(algorithm) = self.algorithm.parse() else {
            return Ok(None);
        };
        let key = match (algorithm, &self.public_key, &self.secret_encrypted) {
            (Algorithm::Hs256, None, Some(stored)) => {
                Key::shared(&decrypt(&JWT_SECRET, self.id, stored)?)
            }
            (Algorithm::Rs256 | Algorithm::EdDsa, Some(pem), None) => Key::public(algorithm, pem),
            _ => return Ok(None),
        };
        Ok(key.ok())
    }
}

fn find_key(issuer: &str, key_id: Option<&str>) -> Option<StoredKey> {
    select_latest(
        "SELECT id, algorithm, public_key, secret_encrypted, issuer, audience, org_claim, subject \
         FROM auth.jwt_keys \
         WHERE issuer = $1 AND key_id IS NOT DISTINCT FROM $2 AND enabled",
        &[issuer.into(), key_id.into()],
        |rows| {
            let row = rows.first()?;
            Some(StoredKey {
                id: row.get(1).map(from_datum)?,
                algorithm: row.get(2)?,
                public_key: row.get(3),
                secret_encrypted: row.get(4),
                issuer: row.get(5)?,
                audience: row.get(6),
                org_claim: row.get(7)?,
                subject: row.get(8)?,
            })
        },
    )
}

#[pg_extern(schema = "auth", volatile, parallel_unsafe)]
#[allow(clippy::too_many_arguments)]
fn add_jwt_key(
    issuer: Option<&str>,
    algorithm: Option<&str>,
    key: Option<&str>,
    key_id: default!(Option<&str>, "NULL"),
    audience: default!(Option<&str>, "NULL"),
    org_claim: default!(Option<&str>, "'org_id'"),
    subject: default!(Option<&str>, "'id'"),
    key_is_base64: default!(bool, "false"),
) -> Option<pgrx::Uuid> {
    let _unlogged = UnloggedStatement::begin();
    // Whoever adds a key can make tokens for everybody.
    or_raise(require_service());
    let issuer = or_raise(required(issuer, 1000, "issuer"));
    let org_claim = or_raise(required(org_claim, 255, "org_claim"));
    let key_id = or_raise(optional(key_id, 255, "key_id"));
    let audience = or_raise(optional(audience, 1000, "audience"));
    let subject = or_raise(
        subject
            .filter(|subject| matches!(*subject, "id" | "auth0_sub"))
            .ok_or_else(|| invalid("subject must be id or auth0_sub")),
    );
    let algorithm: Algorithm = or_raise(
        algorithm
            .and_then(|name| name.parse().ok())
            .ok_or_else(|| invalid("algorithm must be HS256, RS256 or EdDSA")),
    );
    let key = or_raise(key.ok_or_else(|| invalid("key is missing")));
    let mut random = [0; 16];
    or_raise(getrandom::fill(&mut random).map_err(|_| Error::NoRandomness));
    let id = uuid::Builder::from_random_bytes(random).into_uuid();
    let (public_key, secret_encrypted) = or_raise(stored_form(algorithm, key, key_is_base64, id));
    as_owner(|| {
        update_one(
            "INSERT INTO auth.jwt_keys \
                 (id, key_id, algorithm, public_key, secret_encrypted, issuer, audience, org_claim, subject) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) \
             RETURNING id",
            &[
                to_datum(id).into(),
                key_id.into(),
                algorithm.name().into(),
                public_key.into(),
                secret_encrypted.into(),
                issuer.into(),
                audience.into(),
                org_claim.into(),
                subject.into(),
            ],
        )
    })
}

/// What the columns public_key and secret_encrypted are to hold for a key.
fn stored_form(
    algorithm: Algorithm,
    key: &str,
    is_base64: bool,
    id: Uuid,
) -> Result<(Option<String>, Option<String>), Error> {
    if algorithm != Algorithm::Hs256 {
        Key::public(algorithm, key).map_err(invalid)?;
        return Ok((Some(key.trim().to_owned()), None));
    }
    let secret = if is_base64 {
        decode_base64(key).ok_or_else(|| invalid("that is no Base64"))?
    } else {
        Zeroizing::new(key.as_bytes().to_vec())
    };
    Key::shared(&secret).map_err(invalid)?;
    Ok((None, Some(encrypt(&JWT_SECRET, id, &secret)?)))
}

/// Either alphabet, padded or not: secrets come in all of them.
fn decode_base64(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let config =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let alphabet = if text.contains(['-', '_']) {
        &alphabet::URL_SAFE
    } else {
        &alphabet::STANDARD
    };
    GeneralPurpose::new(alphabet, config)
        .decode(text.trim())
        .ok()
        .map(Zeroizing::new)
}

fn required<'a>(text: Option<&'a str>, limit: usize, name: &str) -> Result<&'a str, Error> {
    optional(text, limit, name)?.ok_or_else(|| invalid(&format!("{name} is missing")))
}

fn optional<'a>(text: Option<&'a str>, limit: usize, name: &str) -> Result<Option<&'a str>, Error> {
    match text {
        Some(text) if !(1..=limit).contains(&text.chars().count()) => Err(invalid(&format!(
            "{name} must have 1 to {limit} characters"
        ))),
        text => Ok(text),
    }
}

fn invalid(problem: &str) -> Error {
    Error::InvalidJwtKey {
        problem: problem.to_owned(),
    }
}
