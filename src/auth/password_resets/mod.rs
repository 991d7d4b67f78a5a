//! Setting a new password by a token that was mailed.

mod issuing;
mod redemption;
pub mod settings;
pub mod sql;
