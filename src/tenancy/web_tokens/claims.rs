//! What a token says, and when and for whom it says so.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::Value;
use uuid::Uuid;

/// The year 10000: no token is about a later time, and up to it seconds are exact.
const END_OF_TIME: f64 = 253_402_300_800.0;

/// A JSON object, none of whose names comes twice: two readers of one that does may see different values.
#[derive(Debug)]
pub struct Object(BTreeMap<String, Value>);

impl Object {
    pub fn parse(json: &[u8]) -> Option<Object> {
        serde_json::from_slice(json).ok()
    }

    /// A value; None where there is none, or null.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = Object;

            fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
                let mut members = BTreeMap::new();
                while let Some((name, value)) = map.next_entry::<String, Value>()? {
                    if members.insert(name, value).is_some() {
                        return Err(A::Error::custom("a name comes twice"));
                    }
                }
                Ok(Object(members))
            }
        }

        deserializer.deserialize_map(Members)
    }
}

/// Why a token whose signature is right is nevertheless not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    Invalid,
    Expired,
    NotYetValid,
}

/// What must be so for a token to be taken.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    pub issuer: &'a str,
    /// None where any audience will do.
    pub audience: Option<&'a str>,
    /// Seconds since 1970.
    pub now: f64,
    /// How far the issuer's clock may be from ours, in seconds.
    pub leeway: f64,
}

/// The claims of a token whose signature was verified.
#[derive(Debug)]
pub struct Claims(Object);

impl Claims {
    /// To be called with what was verified.
    pub(super) fn new(object: Object) -> Claims {
        Claims(object)
    }

    /// Whether the token is for us and for now.
    pub fn check(&self, expected: &Expected) -> Result<(), Refusal> {
        let is_issuer = self.text("iss") == Some(expected.issuer);
        let is_audience = expected
            .audience
            .is_none_or(|audience| self.is_for(audience));
        if !is_issuer || !is_audience {
            return Err(Refusal::Invalid);
        }
        let expiry = self.time("exp")?.ok_or(Refusal::Invalid)?;
        let begins = [self.time("nbf")?, self.time("iat")?];
        if expected.now >= expiry + expected.leeway {
            return Err(Refusal::Expired);
        }
        if begins
            .into_iter()
            .flatten()
            .any(|begin| begin > expected.now + expected.leeway)
        {
            return Err(Refusal::NotYetValid);
        }
        Ok(())
    }

    /// Who it was made for.
    pub fn subject(&self) -> Option<&str> {
        self.text("sub").filter(|subject| !subject.is_empty())
    }

    /// The organization that a claim names; Ok(None) for a token without the claim.
    pub fn organization(&self, claim: &str) -> Result<Option<Uuid>, Refusal> {
        match self.0.get(claim) {
            None => Ok(None),
            Some(Value::String(id)) => Uuid::try_parse(id).map(Some).map_err(|_| Refusal::Invalid),
            Some(_) => Err(Refusal::Invalid),
        }
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str()
    }

    /// RFC 7519, 4.1.3: a text, or an array of texts.
    fn is_for(&self, audience: &str) -> bool {
        match self.0.get("aud") {
            Some(Value::String(one)) => one == audience,
            Some(Value::Array(several)) => {
                several.iter().all(Value::is_string)
                    && several.iter().any(|one| one.as_str() == Some(audience))
            }
            _ => false,
        }
    }

    /// RFC 7519, 2: seconds since 1970, with a fraction or without. What is there must be a time.
    fn time(&self, name: &str) -> Result<Option<f64>, Refusal> {
        match self.0.get(name) {
            None if self.0.has(name) => Err(Refusal::Invalid),
            None => Ok(None),
            Some(value) => value
                .as_f64()
                .filter(|seconds| (0.0..END_OF_TIME).contains(seconds))
                .map(Some)
                .ok_or(Refusal::Invalid),
        }
    }
}
