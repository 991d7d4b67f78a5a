//! Personal fields of payloads, encrypted under a key for each subject.
//!
//! `fields` finds and replaces them in JSON text, `cipher` encrypts and decrypts; both are pure. `keys` is the
//! table of keys, `rules` that of fields that are always personal; `sealing` and `revealing` put it together.

mod cipher;
pub mod fields;
pub mod keys;
pub mod revealing;
pub mod rules;
pub mod sealing;
pub mod sql;
pub mod verification;
