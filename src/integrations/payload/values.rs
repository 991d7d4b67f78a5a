//! The values that payloads are made of, each as the columns take it.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};

use super::moment::is_moment;

/// A number that the provider gives to something, from 1.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Id(pub i64);

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Id, D::Error> {
        match i64::deserialize(deserializer)? {
            number @ 1.. => Ok(Id(number)),
            _ => Err(D::Error::custom("no number of anything")),
        }
    }
}

/// Like [`Id`], of a pull request.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Number(pub i32);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Number, D::Error> {
        match i32::deserialize(deserializer)? {
            number @ 1.. => Ok(Number(number)),
            _ => Err(D::Error::custom("no number of anything")),
        }
    }
}

/// A commit: 40 or 64 lower-case hexadecimal digits.
#[derive(Clone, Debug, Serialize)]
pub struct Sha(pub String);

impl<'de> Deserialize<'de> for Sha {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Sha, D::Error> {
        let text = String::deserialize(deserializer)?;
        let is_sha = matches!(text.len(), 40 | 64)
            && text
                .bytes()
                .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        is_sha
            .then_some(Sha(text))
            .ok_or_else(|| D::Error::custom("no commit"))
    }
}

/// What something is called, 1 to MOST characters: cut short it would be another's name.
#[derive(Clone, Debug, Serialize)]
pub struct Name<const MOST: usize>(pub String);

impl<'de, const MOST: usize> Deserialize<'de> for Name<MOST> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let is_name = (1..=MOST).contains(&text.chars().count()) && !text.contains('\0');
        is_name
            .then_some(Name(text))
            .ok_or_else(|| D::Error::custom("no name"))
    }
}

/// What people wrote, cut to MOST characters, without U+0000, which PostgreSQL cannot store.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Text<const MOST: usize>(pub String);

impl<const MOST: usize> Text<MOST> {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Up to the end of the first line.
    pub fn first_line(&self) -> &str {
        self.0.lines().next().unwrap_or_default()
    }
}

impl<'de, const MOST: usize> Deserialize<'de> for Text<MOST> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Ok(Text(
            text.chars()
                .filter(|char| *char != '\0')
                .take(MOST)
                .collect(),
        ))
    }
}

/// A time that PostgreSQL reads; None for any other text, since clocks of committers say what they like.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Moment(pub Option<String>);

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Moment, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        Ok(Moment(text.filter(|text| is_moment(text))))
    }
}
