//! Deliveries of webhooks that come in: who signed them, and what they say.
//!
//! `signature` and `payload` are pure: the one verifies, the other turns what a provider sends into the few facts that
//! the functions in sql/integrations work with. No byte of a body is believed before its signature was verified; the
//! numbers that tell whose secret to try decide nothing else.

mod claims;
mod payload;
mod secrets;
mod signature;
mod sql;
