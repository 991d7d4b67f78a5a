//! Who gets in: API keys.

pub mod api_key;
pub mod sql;
