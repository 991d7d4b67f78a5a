//! People who can log in: their addresses, and the proof that they read the mail there.

pub mod email;
pub mod sql;
mod verification;

use uuid::Uuid;

use crate::codeverify::errors::Error;
use crate::codeverify::owner::as_owner;
use crate::codeverify::query::select;
use crate::tenancy::sql::to_datum;

/// A user, as the functions that act on one by id need it.
pub struct User {
    /// Normalised.
    pub email: Option<String>,
    pub verified: bool,
    pub password_hash: Option<String>,
}

impl User {
    pub fn find(user_id: Uuid) -> Result<User, Error> {
        as_owner(|| {
            select(
                "SELECT lower(email), verified, password_hash FROM auth.users WHERE id = $1",
                &[to_datum(user_id).into()],
                |rows| {
                    if rows.is_empty() {
                        return Ok(None);
                    }
                    let row = rows.first();
                    Ok(Some(User {
                        email: row.get(1)?,
                        verified: row.get(2)?.unwrap_or(false),
                        password_hash: row.get(3)?,
                    }))
                },
            )
        })
        .ok_or_else(|| Error::NoSuchUser {
            user_id: user_id.to_string(),
        })
    }

    /// What failed attempts at the account are counted by.
    pub fn account(&self, user_id: Uuid) -> String {
        self.email
            .as_deref()
            .map_or_else(|| user_id.to_string(), email::account)
    }
}

/// An argument that names a user and must not be NULL.
pub fn require_user_id(user_id: Option<pgrx::Uuid>) -> Result<Uuid, Error> {
    user_id
        .map(crate::tenancy::sql::from_datum)
        .ok_or(Error::InvalidUserRequest {
            problem: "user_id is NULL",
        })
}
