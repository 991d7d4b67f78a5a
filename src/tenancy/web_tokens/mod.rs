//! JSON Web Tokens (RFC 7519) of issuers that are trusted: who they were made for acts in the organization that
//! they name.
//!
//! `token` takes a token apart, `key` holds what it is verified with, `claims` is what it says; these are pure. Its
//! claims cannot be read before its signature was verified, and the algorithm is the key's: what the token says of
//! it must agree and decides nothing.

mod claims;
mod key;
mod outcome;
pub mod settings;
mod sql;
#[cfg(test)]
mod tests;
mod token;
