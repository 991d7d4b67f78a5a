//! Decrypts the personal fields of a payload for those who may read them.

use uuid::Uuid;
use zeroize::Zeroizing;

use super::cipher;
use super::fields::{self, EncryptedField};
use super::keys::{find_by_id, Found};

/// Whose fields may be read.
#[derive(Clone, Copy)]
pub enum Reader {
    Everyones,
    Organization(Uuid),
}

/// The payload with the fields decrypted that the reader may read, and those that are gone named as erased; None
/// when there is none.
pub fn reveal(payload: &str, reader: Reader) -> Option<Zeroizing<String>> {
    fields::reveal(payload, &mut |field| decrypt(&field, reader))
}

/// None leaves the field as it is: another organization's, or one that was made up.
fn decrypt(field: &EncryptedField, reader: Reader) -> Option<Zeroizing<String>> {
    let opened = cipher::open(&field.ciphertext)?;
    if let Reader::Organization(own) = reader {
        if opened.place.org_id != Some(own) {
            return None;
        }
    }
    match find_by_id(opened.place.key_id, field.subject) {
        Found::Key(known) => opened.decrypt(&known.key, field.subject, &field.commitment),
        Found::Erased => Some(Zeroizing::new(fields::erased(field.subject))),
        Found::Nothing => None,
    }
}
