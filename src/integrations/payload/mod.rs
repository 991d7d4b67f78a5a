//! What the payload of a delivery says: `read` turns a body of any content into facts, a JSON object of bounded depth
//! whose texts PostgreSQL can store, or refuses it.
//!
//! `guard` looks at a body before it is parsed, `values` are the values that payloads are made of, `events` are the
//! payloads. What a payload holds besides is not looked at.

mod events;
mod guard;
mod moment;
mod values;

use serde::Deserialize;
use serde_json::{Map, Value};

use self::events::{Envelope, Lenient};
use self::values::Id;

/// Reads a body.
pub fn read(event: &str, body: &[u8]) -> Result<Map<String, Value>, &'static str> {
    let text = guard::check(body)?;
    events::facts(event, text)
}

/// GitHub's numbers of what a body names, for finding the secret that may have signed it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    pub installation: Option<i64>,
    pub repository: Option<i64>,
    /// The account that owns the repository, or has the webhook.
    pub organization: Option<i64>,
}

/// Where a body says that it comes from.
pub fn origin(body: &[u8]) -> Origin {
    let Ok(text) = guard::check(body) else {
        return Origin::default();
    };
    let numbers: Envelope<Numbered> = serde_json::from_str(text).unwrap_or_default();
    Origin {
        installation: numbers.installation.and_then(Lenient::get).map(number),
        repository: numbers.repository.and_then(Lenient::get).map(number),
        organization: numbers.organization.and_then(Lenient::get).map(number),
    }
}

#[derive(Deserialize)]
struct Numbered {
    id: Id,
}

fn number(numbered: Numbered) -> i64 {
    numbered.id.0
}

#[cfg(test)]
mod tests;
