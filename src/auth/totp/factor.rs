//! The second factor of a user, as it is stored.

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::spi::{Error as SpiError, SpiTupleTable};
use pgrx::{PgLogLevel, PgSqlErrorCode};
use serde_json::json;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::code::{Seed, SEED_BYTES};
use super::recovery::{RecoveryCode, CODES};
use crate::auth::outcomes::{record_success, Outcome};
use crate::codeverify::encryption::{columns::TOTP_SECRET, decrypt, encrypt};
use crate::codeverify::errors::Error;
use crate::codeverify::owner::as_owner;
use crate::codeverify::query::{select, select_one, update, update_one};
use crate::codeverify::time;
use crate::tenancy::sql::to_datum;

/// Where a user is on the way to a second factor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    NoFactor,
    /// A seed was given out, and its first code is awaited.
    Pending,
    InForce,
}

impl State {
    fn new(has_seed: bool, is_confirmed: bool) -> State {
        match (has_seed, is_confirmed) {
            (_, true) => State::InForce,
            (true, false) => State::Pending,
            (false, false) => State::NoFactor,
        }
    }
}

/// What is stored of a user.
pub struct Factor {
    user_id: Uuid,
    pub state: State,
    /// What an app shows as the account.
    pub name: String,
    stored_seed: Option<String>,
    last_step: Option<i64>,
}

impl Factor {
    /// As it is at the moment.
    pub fn read(user_id: Uuid) -> Result<Factor, Error> {
        as_owner(|| {
            select(
                "SELECT coalesce(u.email, u.username, u.id::text), u.totp_secret, \
                        u.totp_confirmed_at IS NOT NULL, u.second_factor_step \
                 FROM auth.users AS u WHERE u.id = $1",
                &[to_datum(user_id).into()],
                |rows| Factor::from_rows(user_id, rows),
            )
        })
        .ok_or_else(|| unknown(user_id))
    }

    /// As it stays until the transaction ends.
    pub fn lock(user_id: Uuid) -> Result<Factor, Error> {
        as_owner(|| {
            update(
                "SELECT coalesce(u.email, u.username, u.id::text), u.totp_secret, \
                        u.totp_confirmed_at IS NOT NULL, u.second_factor_step \
                 FROM auth.users AS u WHERE u.id = $1 FOR NO KEY UPDATE",
                &[to_datum(user_id).into()],
                |rows| Factor::from_rows(user_id, rows),
            )
        })
        .ok_or_else(|| unknown(user_id))
    }

    fn from_rows(user_id: Uuid, rows: SpiTupleTable) -> Result<Option<Factor>, SpiError> {
        if rows.is_empty() {
            return Ok(None);
        }
        let row = rows.first();
        let stored_seed: Option<String> = row.get(2)?;
        Ok(Some(Factor {
            user_id,
            state: State::new(stored_seed.is_some(), row.get(3)?.unwrap_or(false)),
            name: row.get(1)?.unwrap_or_default(),
            stored_seed,
            last_step: row.get(4)?,
        }))
    }

    /// Takes a code of the app or for recovery as the proof that the user has the factor, which is to be in a certain
    /// state. The code is used up then, and the user locked. A wrong code locks nothing: whoever guesses could keep
    /// the lock, and the user out.
    pub fn prove(user_id: Uuid, state: State, code: &str) -> Result<Option<Factor>, Error> {
        let seen = Factor::read(user_id)?;
        if seen.state != state || !seen.knows(code) {
            return Ok(None);
        }
        let factor = Factor::lock(user_id)?;
        Ok((factor.state == state && factor.accept(code)).then_some(factor))
    }

    /// Gives the user a new seed, which is not in force yet.
    pub fn enroll(&self) -> Result<Zeroizing<[u8; SEED_BYTES]>, Error> {
        let mut seed = Zeroizing::new([0; SEED_BYTES]);
        getrandom::fill(&mut seed[..]).map_err(|_| Error::NoRandomness)?;
        let stored = encrypt(&TOTP_SECRET, self.user_id, &seed[..])?;
        as_owner(|| {
            update(
                "UPDATE auth.users \
                 SET totp_secret = $2, totp_confirmed_at = NULL, second_factor_step = NULL \
                 WHERE id = $1",
                &[to_datum(self.user_id).into(), stored.into()],
                |_| Ok(()),
            );
        });
        Ok(seed)
    }

    /// What was enrolled is asked for from now on.
    pub fn bring_into_force(&self) {
        as_owner(|| {
            update(
                "UPDATE auth.users SET totp_confirmed_at = pg_catalog.clock_timestamp() WHERE id = $1",
                &[to_datum(self.user_id).into()],
                |_| Ok(()),
            );
        });
    }

    fn knows(&self, code: &str) -> bool {
        match RecoveryCode::parse(code) {
            Some(code) => as_owner(|| {
                select_one::<bool>(
                    "SELECT true FROM auth.recovery_codes AS r \
                     WHERE r.user_id = $1 AND r.code_hash = $2 AND r.used_at IS NULL",
                    &[to_datum(self.user_id).into(), code.hash().into()],
                )
            })
            .unwrap_or(false),
            None => self.find_step(code).is_some(),
        }
    }

    fn accept(&self, code: &str) -> bool {
        match RecoveryCode::parse(code) {
            Some(code) => self.use_recovery_code(&code),
            None => self.accept_code(code),
        }
    }

    fn accept_code(&self, code: &str) -> bool {
        let Some(step) = self.find_step(code) else {
            return false;
        };
        as_owner(|| {
            update(
                "UPDATE auth.users SET second_factor_step = $2 WHERE id = $1",
                &[to_datum(self.user_id).into(), step.into()],
                |_| Ok(()),
            );
        });
        true
    }

    fn find_step(&self, code: &str) -> Option<i64> {
        self.seed()?
            .find_step(code, time::seconds(), self.last_step)
    }

    fn seed(&self) -> Option<Seed> {
        let stored = self.stored_seed.as_deref()?;
        match decrypt(&TOTP_SECRET, self.user_id, stored) {
            Ok(bytes) => Seed::new(&bytes),
            Err(error) => {
                log(&error, self.user_id);
                None
            }
        }
    }

    fn use_recovery_code(&self, code: &RecoveryCode) -> bool {
        let left = as_owner(|| {
            let used = update(
                "UPDATE auth.recovery_codes SET used_at = pg_catalog.clock_timestamp() \
                 WHERE user_id = $1 AND code_hash = $2 AND used_at IS NULL RETURNING user_id",
                &[to_datum(self.user_id).into(), code.hash().into()],
                |rows| Ok(!rows.is_empty()),
            );
            used.then(|| {
                select_one::<i64>(
                    "SELECT count(*) FROM auth.recovery_codes AS r \
                     WHERE r.user_id = $1 AND r.used_at IS NULL",
                    &[to_datum(self.user_id).into()],
                )
            })
        });
        if let Some(left) = left {
            record_success(&Outcome {
                action: "recovery_code.used",
                org_id: None,
                user_id: Some(self.user_id),
                resource_id: None,
                details: json!({ "left": left }),
                ip_address: None,
                user_agent: None,
            });
        }
        left.is_some()
    }

    /// Makes new recovery codes; those of before are void.
    pub fn create_recovery_codes(&self) -> Result<Vec<RecoveryCode>, Error> {
        let codes = (0..CODES)
            .map(|_| RecoveryCode::generate(getrandom::fill))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|_| Error::NoRandomness)?;
        let hashes: Vec<String> = codes.iter().map(RecoveryCode::hash).collect();
        as_owner(|| {
            self.delete_recovery_codes();
            update(
                "INSERT INTO auth.recovery_codes (user_id, code_hash) SELECT $1, pg_catalog.unnest($2)",
                &[to_datum(self.user_id).into(), hashes.into()],
                |_| Ok(()),
            );
        });
        Ok(codes)
    }

    /// Takes the second factor away, and its recovery codes. False where there was none.
    pub fn remove(&self) -> bool {
        as_owner(|| {
            self.delete_recovery_codes();
            update_one::<bool>(
                "UPDATE auth.users \
                 SET totp_secret = NULL, totp_confirmed_at = NULL, second_factor_step = NULL \
                 WHERE id = $1 AND totp_secret IS NOT NULL RETURNING true",
                &[to_datum(self.user_id).into()],
            )
        })
        .unwrap_or(false)
    }

    fn delete_recovery_codes(&self) {
        update(
            "DELETE FROM auth.recovery_codes WHERE user_id = $1",
            &[to_datum(self.user_id).into()],
            |_| Ok(()),
        );
    }
}

fn unknown(user_id: Uuid) -> Error {
    Error::NoSuchUser {
        user_id: user_id.to_string(),
    }
}

/// Tells the operator, and not the client, why nobody gets in.
fn log(error: &Error, user_id: Uuid) {
    ErrorReport::new(
        PgSqlErrorCode::ERRCODE_WARNING,
        error.to_string(),
        "codeverify",
    )
    .set_detail(format!("The second factor of user {user_id} was refused."))
    .set_hint(error.hint())
    .report(PgLogLevel::LOG_SERVER_ONLY);
}
