//! A token as a client sent it (RFC 7515, 7.1): header, claims and signature, each in Base64url.

use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use base64::Engine;
use serde_json::Value;

use super::claims::{Claims, Object};
use super::key::{Algorithm, Key};

/// Refused before any work is done. Browsers and proxies take no header that is longer.
pub const MAX_SIZE: usize = 16 * 1024;
const MAX_KEY_ID: usize = 255;
const MAX_ISSUER: usize = 1000;

/// A token of the right form, of which nothing was verified.
#[derive(Debug)]
pub struct WebToken<'a> {
    signed: &'a str,
    signature: Vec<u8>,
    algorithm: Algorithm,
    key_id: Option<String>,
    issuer: String,
    claims: Object,
}

impl<'a> WebToken<'a> {
    /// None for what cannot be a token of ours.
    pub fn parse(text: &'a str) -> Option<WebToken<'a>> {
        if text.len() > MAX_SIZE {
            return None;
        }
        let (signed, signature) = text.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let header = Object::parse(&BASE64URL.decode(header).ok()?)?;
        let signature = BASE64URL.decode(signature).ok()?;
        let (algorithm, key_id) = read_header(&header)?;
        let claims = Object::parse(&BASE64URL.decode(claims).ok()?)?;
        let issuer = bounded(claims.get("iss")?, MAX_ISSUER)?;
        Some(WebToken {
            signed,
            signature,
            algorithm,
            key_id,
            issuer,
            claims,
        })
    }

    /// Whose key to look for. Anybody can write this.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Which of the issuer's keys to look for. Anybody can write this.
    pub fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    /// The claims, if the key signed them.
    pub fn verify(self, key: &Key) -> Option<Claims> {
        let is_signed = self.algorithm == key.algorithm()
            && key.verify(self.signed.as_bytes(), &self.signature);
        is_signed.then(|| Claims::new(self.claims))
    }
}

/// The algorithm, which must be one that a key can be of, and the key's name. What else a header can say of keys
/// (jwk, jku, x5u, x5c) is the sender's word and is passed over.
fn read_header(header: &Object) -> Option<(Algorithm, Option<String>)> {
    // Extensions that must be understood (RFC 7515, 4.1.11), and one that changes what is signed (RFC 7797): none is.
    if header.has("crit") || header.has("b64") {
        return None;
    }
    let algorithm = header.get("alg")?.as_str()?.parse().ok()?;
    let is_web_token = match header.get("typ") {
        None => true,
        Some(Value::String(kind)) => ["jwt", "at+jwt", "application/at+jwt"]
            .iter()
            .any(|known| known.eq_ignore_ascii_case(kind)),
        Some(_) => false,
    };
    let key_id = match header.get("kid") {
        None => None,
        Some(key_id) => Some(bounded(key_id, MAX_KEY_ID)?),
    };
    is_web_token.then_some((algorithm, key_id))
}

/// A text of 1 to `limit` characters, none of them a NUL, which no text of the database has.
fn bounded(value: &Value, limit: usize) -> Option<String> {
    value
        .as_str()
        .filter(|text| (1..=limit).contains(&text.chars().count()) && !text.contains('\0'))
        .map(str::to_owned)
}
