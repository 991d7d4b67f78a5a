//! The identity of a result, so that importing it again updates instead of duplicating.
//!
//! A fingerprint is SHA-256 over an encoding in which every field has its length in front, so
//! that different identities never have the same encoding.

use std::collections::HashMap;

use sha2::{Digest, Sha256};

/// The entry of `result.fingerprints` that holds a fingerprint made here.
pub const KEY: &str = "codeverify/v1";

const DOMAIN: &str = "codeverify finding 1";
const REPETITION: &str = "codeverify repetition 1";

/// What tells a result from the others of the same tool and rule.
#[derive(Debug, Clone, PartialEq)]
pub enum Identity<'a> {
    /// `result.fingerprints`, sorted by name: the tool vouches for them.
    Full(Vec<(&'a str, &'a str)>),
    /// `result.partialFingerprints`, sorted by name, and the file.
    Partial(Vec<(&'a str, &'a str)>, &'a str),
    /// The file, where in it, and the message.
    Content(&'a str, [Option<i32>; 8], &'a str),
}

struct Encoder(Vec<u8>);

impl Encoder {
    fn count(&mut self, count: usize) {
        self.0.extend((count as u64).to_be_bytes());
    }

    fn text(&mut self, text: &str) {
        self.count(text.len());
        self.0.extend(text.as_bytes());
    }

    fn maybe<T>(&mut self, value: Option<T>, encode: impl Fn(&mut Self, T)) {
        match value {
            None => self.0.push(0),
            Some(value) => {
                self.0.push(1);
                encode(self, value);
            }
        }
    }

    fn pairs(&mut self, pairs: &[(&str, &str)]) {
        self.count(pairs.len());
        for (name, value) in pairs {
            self.text(name);
            self.text(value);
        }
    }
}

pub fn encode(tool: &str, rule_id: Option<&str>, identity: &Identity) -> Vec<u8> {
    let mut encoder = Encoder(Vec::new());
    encoder.text(DOMAIN);
    encoder.text(tool);
    encoder.maybe(rule_id, Encoder::text);
    match identity {
        Identity::Full(pairs) => {
            encoder.0.push(1);
            encoder.pairs(pairs);
        }
        Identity::Partial(pairs, file) => {
            encoder.0.push(2);
            encoder.pairs(pairs);
            encoder.text(file);
        }
        Identity::Content(file, region, message) => {
            encoder.0.push(3);
            encoder.text(file);
            for number in region {
                encoder.maybe(*number, |encoder, number| {
                    encoder.0.extend(number.to_be_bytes())
                });
            }
            encoder.text(message);
        }
    }
    encoder.0
}

/// A fingerprint in the form it is stored in, if the text is one.
pub fn stored(text: &str) -> Option<String> {
    let valid = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    valid.then(|| text.to_ascii_lowercase())
}

/// Hands out fingerprints for one log. The n-th repetition of an identity gets its number mixed
/// in, so that no result is lost and the same log always gives the same fingerprints.
#[derive(Debug, Default)]
pub struct Fingerprints {
    seen: HashMap<String, u64>,
}

impl Fingerprints {
    pub fn of(&mut self, encoded: &[u8]) -> String {
        self.distinct(hex::encode(Sha256::digest(encoded)))
    }

    /// The fingerprint itself the first time.
    pub fn distinct(&mut self, fingerprint: String) -> String {
        let seen = self.seen.entry(fingerprint.clone()).or_default();
        let repetition = *seen;
        *seen += 1;
        if repetition == 0 {
            return fingerprint;
        }
        let mut encoder = Encoder(Vec::new());
        encoder.text(REPETITION);
        encoder.text(&fingerprint);
        encoder.0.extend(repetition.to_be_bytes());
        hex::encode(Sha256::digest(&encoder.0))
    }
}
