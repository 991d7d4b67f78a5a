//! Personal fields of payloads, encrypted under a key for each subject.

pub mod sql;
