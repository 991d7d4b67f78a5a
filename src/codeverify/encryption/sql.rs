//! Functions of schema codeverify; their comments and grants are in sql/codeverify/encryption.sql.

use pgrx::prelude::*;

use super::position::Position;
use super::{keys, reencryption};
use crate::codeverify::errors::Error;
use crate::codeverify::owner::as_owner;
use crate::codeverify::raise::or_raise;

extension_sql_file!(
    "../../../sql/codeverify/encryption.sql",
    name = "codeverify_encryption",
    requires = [create_encryption_key, reencrypt, reencrypt_some]
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

#[pg_extern(schema = "codeverify", volatile, parallel_unsafe)]
fn reencrypt_some(
    most: default!(Option<i32>, "1000"),
    after: default!(Option<&str>, "NULL"),
) -> TableIterator<
    'static,
    (
        name!(reencrypted, i64),
        name!(unreadable, i64),
        name!(reached, Option<String>),
    ),
> {
    let most = most
        .and_then(|most| usize::try_from(most).ok())
        .filter(|most| *most > 0);
    let most = or_raise(most.ok_or(Error::InvalidReencryption {
        problem: "most must be 1 or more",
    }));
    let after = after.map_or(Some(Position::START), Position::parse);
    let after = or_raise(after.ok_or(Error::InvalidReencryption {
        problem: "after is nothing that an earlier call has returned as reached",
    }));
    let outcome = or_raise(as_owner(|| reencryption::reencrypt_some(most, after)));
    TableIterator::once((
        outcome.renewed,
        outcome.unreadable,
        outcome.reached.map(|reached| reached.to_string()),
    ))
}
