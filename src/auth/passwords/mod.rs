//! Passwords: what may be one, and their hashes.

pub mod hash;
pub mod settings;
mod slots;
mod sql;
pub mod text;

use pgrx::{pg_sys, PgSqlErrorCode};
use uuid::Uuid;

use self::hash::{OutOfMemory, Stored};
use self::slots::with_slot;
use self::text::Prepared;
use crate::codeverify::errors::Error;
use crate::codeverify::owner::as_owner;
use crate::codeverify::query::update_one;
use crate::codeverify::raise::or_raise;
use crate::tenancy::sql::to_datum;

/// What became of a password that was given to be checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checked {
    Wrong,
    /// There is no hash to check against.
    Missing,
    /// There is a hash, but none that can be verified.
    Unusable,
    Right {
        /// Whether the hash is weaker than a new one would be.
        outdated: bool,
    },
}

impl Checked {
    /// Why it is not right, for the ledger.
    pub fn reason(self) -> &'static str {
        match self {
            Checked::Wrong => "wrong_password",
            Checked::Missing => "no_password",
            Checked::Unusable => "unusable_hash",
            Checked::Right { .. } => "",
        }
    }
}

/// Checks a password against a stored hash, or does the same work where there is none.
pub fn check(stored: Option<&str>, typed: &str) -> Checked {
    let cost = settings::cost();
    let hash = stored.map(Stored::parse);
    let prepared = Prepared::to_check(typed);
    let result = with_slot(|| match (&hash, &prepared) {
        (Some(Some(hash)), Some(prepared)) => hash.verify(typed, prepared).map(|right| {
            if right {
                Checked::Right {
                    outdated: hash.is_weaker_than(cost),
                }
            } else {
                Checked::Wrong
            }
        }),
        _ => {
            let text = prepared.as_ref().map_or(&b""[..], Prepared::as_bytes);
            hash::work_for_nothing(cost, text).map(|()| match &hash {
                None => Checked::Missing,
                Some(None) => Checked::Unusable,
                Some(Some(_)) => Checked::Wrong,
            })
        }
    });
    or_out_of_memory(result)
}

/// The hash to be stored for a password.
pub fn hash(password: &Prepared) -> String {
    let mut salt = [0; 16];
    or_raise(getrandom::fill(&mut salt).map_err(|_| Error::NoRandomness));
    let cost = settings::cost();
    or_out_of_memory(with_slot(|| hash::make(cost, password, salt)))
}

/// Replaces a user's hash if it is still the one that was read. Returns whether.
fn replace(user_id: Uuid, old_hash: Option<&str>, new_hash: &str) -> bool {
    as_owner(|| {
        update_one::<bool>(
            "UPDATE auth.users \
             SET password_hash = $3, password_changed_at = pg_catalog.clock_timestamp() \
             WHERE id = $1 AND password_hash = $2 \
             RETURNING true",
            &[to_datum(user_id).into(), old_hash.into(), new_hash.into()],
        )
    })
    .unwrap_or(false)
}

fn or_out_of_memory<T>(result: Result<T, OutOfMemory>) -> T {
    result.unwrap_or_else(|OutOfMemory| {
        pg_sys::panic::ErrorReport::new(
            PgSqlErrorCode::ERRCODE_OUT_OF_MEMORY,
            "out of memory",
            "codeverify",
        )
        .set_hint("Lower codeverify.argon2_memory or codeverify.max_concurrent_hashes.")
        .report(pgrx::PgLogLevel::ERROR);
        unreachable!("an ERROR report does not return")
    })
}
