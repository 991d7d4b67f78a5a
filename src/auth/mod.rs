//! Who gets in: users, sessions, API keys, invitations, and what keeps guessing from working.

pub mod api_keys;
pub mod caller;
pub mod invitations;
pub mod lockout;
pub mod login;
pub mod outcomes;
pub mod password_resets;
pub mod passwords;
pub mod rate_limits;
pub mod sessions;
pub mod settings;
pub mod tokens;
pub mod totp;
pub mod users;
