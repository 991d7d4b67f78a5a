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

/// Where a body says that it comes from. Anybody may have made it, so that nothing of it is held in memory.
pub fn origin(body: &[u8]) -> Origin {
    let Ok(text) = guard::check(body) else {
        return Origin::default();
    };
    serde_json::from_str::<Named>(text).map_or_else(
        |_| Origin::default(),
        |named| Origin {
            installation: named.installation.map(|numbered| numbered.id.0),
            repository: named.repository.map(|numbered| numbered.id.0),
            organization: named.organization.map(|numbered| numbered.id.0),
        },
    )
}

#[derive(Deserialize)]
struct Named {
    installation: Option<Numbered>,
    repository: Option<Numbered>,
    organization: Option<Numbered>,
}

#[derive(Deserialize)]
struct Numbered {
    id: Id,
}

#[cfg(test)]
mod tests;
