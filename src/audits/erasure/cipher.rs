//! Encrypts one value for one subject.
//!
//! ```text
//! sealed     = version 1 | has an organization u8 | organization 16 | event 16 | key's id 16 | nonce 12
//!            | AES-256-GCM ciphertext and tag
//! plaintext  = salt 32 | JSON text of the value
//! AAD        = "codeverify personal field" | all before the ciphertext | subject 16
//! commitment = SHA-256(salt | JSON text)
//! ```
//!
//! What is stored says where it belongs, and does not decrypt when that is changed: a ciphertext that is copied
//! into another organization's ledger stays closed there.

use base64::engine::general_purpose::STANDARD as BASE64;
use base64::Engine;
use sha2::{Digest, Sha256};
use uuid::Uuid;
use zeroize::Zeroizing;

pub use crate::codeverify::encryption::aes::Key as SubjectKey;
use crate::codeverify::encryption::aes::NONCE;

const VERSION: u8 = 1;
const SALT: usize = 32;
const HEADER: usize = 2 + 16 + 16 + 16 + NONCE;
const DOMAIN: &[u8] = b"codeverify personal field";

/// Where an encrypted value belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub org_id: Option<Uuid>,
    pub event_id: Uuid,
    pub key_id: Uuid,
}

/// An encrypted value as an entry stores it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// In Base64.
    pub ciphertext: String,
    /// In hexadecimal.
    pub commitment: String,
}

/// Encrypts the JSON text of a value. `fill` gives random bytes.
pub fn seal<E>(
    key: &SubjectKey,
    place: Place,
    subject: Uuid,
    json: &str,
    mut fill: impl FnMut(&mut [u8]) -> Result<(), E>,
) -> Result<Option<Sealed>, E> {
    let mut nonce = [0; NONCE];
    fill(&mut nonce)?;
    let mut plaintext = Zeroizing::new(Vec::with_capacity(SALT + json.len()));
    plaintext.resize(SALT, 0);
    fill(&mut plaintext)?;
    plaintext.extend_from_slice(json.as_bytes());

    let mut bytes = Vec::with_capacity(HEADER + plaintext.len() + 16);
    bytes.extend_from_slice(&[VERSION, u8::from(place.org_id.is_some())]);
    bytes.extend_from_slice(place.org_id.unwrap_or_default().as_bytes());
    bytes.extend_from_slice(place.event_id.as_bytes());
    bytes.extend_from_slice(place.key_id.as_bytes());
    bytes.extend_from_slice(&nonce);
    let Some(ciphertext) = key.encrypt(nonce, &plaintext, &associated_data(&bytes, subject)) else {
        return Ok(None);
    };
    bytes.extend_from_slice(&ciphertext);
    Ok(Some(Sealed {
        ciphertext: BASE64.encode(bytes),
        commitment: commit(&plaintext),
    }))
}

/// An encrypted value that is to be decrypted: where it says that it belongs.
pub struct Opened {
    pub place: Place,
    bytes: Vec<u8>,
}

/// Reads what stands before the ciphertext; None for what seal() never wrote.
pub fn open(ciphertext: &str) -> Option<Opened> {
    let bytes = BASE64.decode(ciphertext).ok()?;
    let header = bytes.get(..HEADER)?;
    let uuid = |start: usize| Uuid::from_slice(header.get(start..start + 16)?).ok();
    let has_org = match (*header.first()?, *header.get(1)?) {
        (VERSION, 0) => false,
        (VERSION, 1) => true,
        _ => return None,
    };
    let place = Place {
        org_id: has_org.then_some(uuid(2)?),
        event_id: uuid(18)?,
        key_id: uuid(34)?,
    };
    Some(Opened { place, bytes })
}

impl Opened {
    /// The JSON text of the value; None when key, subject, place or commitment do not fit.
    pub fn decrypt(
        &self,
        key: &SubjectKey,
        subject: Uuid,
        commitment: &str,
    ) -> Option<Zeroizing<String>> {
        let (header, ciphertext) = self.bytes.split_at_checked(HEADER)?;
        let nonce: [u8; NONCE] = header.get(HEADER - NONCE..)?.try_into().ok()?;
        let plaintext = key.decrypt(nonce, ciphertext, &associated_data(header, subject))?;
        if commit(&plaintext) != commitment {
            return None;
        }
        let json = plaintext.get(SALT..)?.to_vec();
        String::from_utf8(json).map(Zeroizing::new).ok()
    }
}

fn associated_data(header: &[u8], subject: Uuid) -> Vec<u8> {
    [DOMAIN, header, subject.as_bytes()].concat()
}

fn commit(plaintext: &[u8]) -> String {
    hex::encode(Sha256::digest(plaintext))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;

    const SUBJECT: Uuid = Uuid::from_u128(3);
    const PLACE: Place = Place {
        org_id: Some(Uuid::from_u128(1)),
        event_id: Uuid::from_u128(2),
        key_id: Uuid::from_u128(4),
    };

    fn key(byte: u8) -> SubjectKey {
        SubjectKey::from_bytes(&[byte; 32]).expect("a key")
    }

    fn sealed(place: Place, json: &str) -> Sealed {
        let mut next = 0_u8;
        let fill = |bytes: &mut [u8]| {
            next += 1;
            bytes.fill(next);
            Ok::<(), Infallible>(())
        };
        match seal(&key(9), place, SUBJECT, json, fill) {
            Ok(Some(sealed)) => sealed,
            _ => panic!("sealed"),
        }
    }

    #[test]
    fn a_value_comes_back() {
        for org_id in [None, PLACE.org_id] {
            let place = Place { org_id, ..PLACE };
            let sealed = sealed(place, "{\"a\": 1.00}");
            let opened = open(&sealed.ciphertext).expect("a ciphertext");
            assert_eq!(opened.place, place);
            let json = opened.decrypt(&key(9), SUBJECT, &sealed.commitment);
            assert_eq!(json.as_deref().map(String::as_str), Some("{\"a\": 1.00}"));
        }
    }

    #[test]
    fn the_commitment_is_the_salted_hash() {
        let mut salted = vec![2; SALT];
        salted.extend_from_slice(b"null");
        assert_eq!(
            sealed(PLACE, "null").commitment,
            hex::encode(Sha256::digest(salted))
        );
    }

    #[test]
    fn nothing_else_opens_it() {
        let sealed = sealed(PLACE, "null");
        let opened = open(&sealed.ciphertext).expect("a ciphertext");
        assert!(opened
            .decrypt(&key(8), SUBJECT, &sealed.commitment)
            .is_none());
        assert!(opened
            .decrypt(&key(9), Uuid::from_u128(5), &sealed.commitment)
            .is_none());
        assert!(opened.decrypt(&key(9), SUBJECT, &"0".repeat(64)).is_none());
    }

    #[test]
    fn no_flipped_bit_goes_unnoticed() {
        let sealed = sealed(PLACE, "\"secret\"");
        let bytes = BASE64.decode(&sealed.ciphertext).expect("Base64");
        for place in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[place] ^= 1;
            let decrypted = open(&BASE64.encode(damaged))
                .and_then(|opened| opened.decrypt(&key(9), SUBJECT, &sealed.commitment));
            assert!(decrypted.is_none(), "byte {place}");
        }
    }

    #[test]
    fn what_is_no_ciphertext_does_not_open() {
        for text in [
            "",
            "x",
            "AQ==",
            &"A".repeat(200),
            &BASE64.encode([1; HEADER - 1]),
        ] {
            assert!(open(text).is_none(), "{text}");
        }
    }
}
