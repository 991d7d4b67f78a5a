//! Secrets that have to be read again, encrypted as they are stored: AES-256-GCM under a key that is in a file and
//! not in the database.
//!
//! `aes` is the cipher, `keys` reads the file, `sealed` is the text that a column holds, `position` how far a change of
//! the key has come; all four are pure. A column
//! that holds such texts is listed in `columns`, so that codeverify.reencrypt() knows it.

pub mod aes;
pub mod columns;
pub mod keys;
pub mod position;
pub mod reencryption;
pub mod sealed;
pub mod sql;

use std::path::Path;

use uuid::Uuid;
use zeroize::Zeroizing;

use self::columns::Column;
use self::keys::Keys;
use self::sealed::{Place, Sealed};
use super::errors::Error;
use super::settings;

/// What a column of a row is to hold for a secret.
pub fn encrypt(column: &Column, row: Uuid, secret: &[u8]) -> Result<String, Error> {
    encrypt_under(&keys()?, column, row, secret)
}

/// The secret of what a column of a row holds.
pub fn decrypt(column: &Column, row: Uuid, stored: &str) -> Result<Zeroizing<Vec<u8>>, Error> {
    decrypt_with(&keys()?, column, row, stored)
}

fn encrypt_under(keys: &Keys, column: &Column, row: Uuid, secret: &[u8]) -> Result<String, Error> {
    let mut nonce = [0; aes::NONCE];
    getrandom::fill(&mut nonce).map_err(|_| Error::NoRandomness)?;
    let sealed = Sealed::seal(keys, place(column, row), nonce, secret);
    sealed.ok_or(unusable("it cannot encrypt so long a secret"))
}

fn decrypt_with(
    keys: &Keys,
    column: &Column,
    row: Uuid,
    stored: &str,
) -> Result<Zeroizing<Vec<u8>>, Error> {
    let sealed = Sealed::parse(stored).ok_or(unusable("what is stored was not encrypted by it"))?;
    sealed.open(keys, place(column, row)).map_err(unusable)
}

fn keys() -> Result<Keys, Error> {
    let path = settings::encryption_key_file()
        .ok_or(unusable("codeverify.encryption_key_file is not set"))?;
    keys::read(Path::new(&path)).map_err(unusable)
}

fn place(column: &Column, row: Uuid) -> Place<'_> {
    Place {
        column: column.name,
        row,
    }
}

fn unusable(problem: &'static str) -> Error {
    Error::UnusableEncryptionKey { problem }
}
