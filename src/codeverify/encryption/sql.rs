//! Functions of schema codeverify; their comments and grants are in sql/codeverify/encryption.sql.

use pgrx::prelude::*;

use super::{keys, reencryption};
use crate::codeverify::errors::Error;
use crate::codeverify::owner::as_owner;
use crate::codeverify::raise::or_raise;

extension_sql_file!(
    "../../../sql/codeverify/encryption.sql",
    name = "codeverify_encryption",
    requires = [create_encryption_key, reencrypt]
);

#[pg_extern(schema = "codeverify", volatile, parallel_unsafe)]
fn create_encryption_key() -> String {
    let line = keys::create_line(getrandom::fill).map_err(|_| Error::NoRandomness);
    or_raise(line).to_string()
}

#[pg_extern(schema = "codeverify", volatile, parallel_unsafe)]
fn reencrypt() -> i64 {
    or_raise(as_owner(reencryption::reencrypt))
}
