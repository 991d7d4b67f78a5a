//! Passwords: what may be one, and their hashes.

pub mod hash;
pub mod settings;
mod slots;
pub mod text;

use pgrx::{pg_sys, PgSqlErrorCode};

use self::hash::{OutOfMemory, Stored};
use self::slots::with_slot;
use self::text::Prepared;
use crate::codeverify::errors::Error;
use crate::codeverify::raise::or_raise;

/// What became of a password that was given to be checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checked {
    Wrong,
    /// There is a hash, but none that can be verified.
    Unusable,
    Right {
        /// Whether the hash is weaker than a new one would be.
        outdated: bool,
    },
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
                Some(None) => Checked::Unusable,
                _ => Checked::Wrong,
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
