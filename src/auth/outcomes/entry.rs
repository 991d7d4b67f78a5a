//! An outcome on its way to the ledger: what may be in it, and as what it travels. Pure data.

use serde::{Deserialize, Serialize};
use serde_json::{json, Map, Value};
use uuid::Uuid;

use super::{Outcome, Unknown};

/// An outcome with everything that its row needs. Whatever a client had to say is cut to what the columns take,
/// so that writing it cannot fail.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    pub action: String,
    pub succeeded: bool,
    pub org_id: Option<Uuid>,
    pub user_id: Option<Uuid>,
    pub resource_id: Option<Uuid>,
    pub details: Map<String, Value>,
    pub ip_address: Option<String>,
    pub user_agent: Option<String>,
    /// When it happened, in microseconds since 1970.
    pub at: i64,
}

impl Entry {
    pub fn new(outcome: &Outcome, succeeded: bool, at: i64) -> Entry {
        let details = match without_zeros(outcome.details.clone()) {
            Value::Object(details) => details,
            Value::Null => Map::new(),
            other => Map::from_iter([("details".to_owned(), other)]),
        };
        Entry {
            action: outcome.action.to_owned(),
            succeeded,
            org_id: outcome.org_id,
            user_id: outcome.user_id,
            resource_id: outcome.resource_id,
            details,
            ip_address: outcome.ip_address.and_then(|text| printable(text, 45)),
            user_agent: outcome.user_agent.and_then(|text| printable(text, 255)),
            at,
        }
    }

    /// So many tokens that belong to nobody.
    pub fn of_unknown(what: Unknown, count: u64, at: i64) -> Entry {
        let details = serde_json::json!({
            "reason": "unknown",
            "token": what.name(),
            "count": count,
        });
        Entry::new(&Outcome::of(what.action(), details), false, at)
    }

    /// So many outcomes that there was no room for.
    pub fn of_dropped(count: u64, at: i64) -> Entry {
        let details = serde_json::json!({ "count": count });
        Entry::new(&Outcome::of("outcomes.dropped", details), false, at)
    }

    /// As JSON of at most `most` bytes. What it loses for that, it says.
    pub fn to_bytes(&self, most: usize) -> Vec<u8> {
        let whole = serde_json::to_vec(self).unwrap_or_default();
        if whole.len() <= most {
            return whole;
        }
        let short = |name: &str| {
            let value = self.details.get(name)?;
            (value.to_string().len() <= 64).then(|| (name.to_owned(), value.clone()))
        };
        let mut details: Map<String, Value> =
            ["reason", "count"].into_iter().filter_map(short).collect();
        details.insert("truncated".to_owned(), Value::Bool(true));
        let less = Entry {
            details,
            user_agent: None,
            ..self.clone()
        };
        serde_json::to_vec(&less).unwrap_or_default()
    }

    /// As it goes into the platform's ledger because others have held its own for long.
    pub fn moved(&self) -> Entry {
        let mut moved = self.clone();
        if let Some(org_id) = moved.org_id.take() {
            moved.details.insert("org_id".to_owned(), json!(org_id));
            moved.details.insert("ledger".to_owned(), json!("busy"));
        }
        moved
    }

    /// The details with the time of the event, which is not that of the entry.
    pub fn dated_details(&self) -> Map<String, Value> {
        let mut details = self.details.clone();
        details.insert("at".to_owned(), Value::String(rfc3339(self.at)));
        details
    }

    pub fn status(&self) -> &'static str {
        if self.succeeded {
            "success"
        } else {
            "failure"
        }
    }
}

/// At most so many characters, without control characters; None for nothing.
fn printable(text: &str, most: usize) -> Option<String> {
    let kept: String = text
        .chars()
        .filter(|character| !character.is_control())
        .take(most)
        .collect();
    (!kept.is_empty()).then_some(kept)
}

/// jsonb takes no character with the number 0.
fn without_zeros(value: Value) -> Value {
    let clean = |text: String| {
        if text.contains('\0') {
            text.replace('\0', "\u{FFFD}")
        } else {
            text
        }
    };
    match value {
        Value::String(text) => Value::String(clean(text)),
        Value::Array(items) => items.into_iter().map(without_zeros).collect(),
        Value::Object(members) => members
            .into_iter()
            .map(|(name, member)| (clean(name), without_zeros(member)))
            .collect(),
        other => other,
    }
}

/// Such as 2026-11-30T23:59:59.999999Z.
pub fn rfc3339(micros: i64) -> String {
    const DAY: i64 = 86_400_000_000;
    let (year, month, day) = civil(micros.div_euclid(DAY));
    let rest = micros.rem_euclid(DAY);
    let (seconds, fraction) = (rest / 1_000_000, rest % 1_000_000);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{fraction:06}Z",
        seconds / 3_600,
        seconds / 60 % 60,
        seconds % 60
    )
}

/// Days since 1970 to year, month and day: H. Hinnant, "chrono-compatible low-level date algorithms".
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    const MOST: usize = 1_008;

    fn outcome(details: Value) -> Outcome<'static> {
        Outcome::of("login.failed", details)
    }

    #[test]
    fn what_fits_travels_whole() {
        let entry = Entry::new(
            &Outcome {
                org_id: Some(Uuid::from_u128(1)),
                user_id: Some(Uuid::from_u128(2)),
                resource_id: Some(Uuid::from_u128(3)),
                ip_address: Some("2001:db8::1"),
                user_agent: Some("curl/8"),
                ..outcome(json!({ "reason": "wrong_password" }))
            },
            false,
            5,
        );
        let bytes = entry.to_bytes(MOST);
        assert_eq!(
            serde_json::from_slice::<Entry>(&bytes).expect("JSON"),
            entry
        );
    }

    #[test]
    fn what_does_not_fit_says_so_and_keeps_its_reason() {
        let long = "ж".repeat(3_000);
        let entry = Entry::new(
            &Outcome {
                user_agent: Some(&long),
                ip_address: Some(&long),
                ..outcome(json!({ "reason": "locked", "more": long }))
            },
            false,
            5,
        );
        let bytes = entry.to_bytes(MOST);
        assert!(bytes.len() <= MOST);
        let read: Entry = serde_json::from_slice(&bytes).expect("JSON");
        assert_eq!(
            Value::Object(read.details),
            json!({ "reason": "locked", "truncated": true })
        );
        assert_eq!(read.ip_address.map(|text| text.chars().count()), Some(45));
    }

    #[test]
    fn details_are_an_object_without_zeros() {
        for (given, kept) in [
            (json!(null), json!({})),
            (json!([1]), json!({ "details": [1] })),
            (
                json!({ "a\0": ["\0", { "b": "c\0d" }] }),
                json!({ "a\u{FFFD}": ["\u{FFFD}", { "b": "c\u{FFFD}d" }] }),
            ),
        ] {
            assert_eq!(
                Value::Object(Entry::new(&outcome(given), true, 0).details),
                kept
            );
        }
    }

    #[test]
    fn times_are_rfc_3339() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00.000000Z");
        assert_eq!(
            rfc3339(1_796_083_199_999_999),
            "2026-11-30T23:59:59.999999Z"
        );
        assert_eq!(
            rfc3339(1_709_164_800_000_001),
            "2024-02-29T00:00:00.000001Z"
        );
        assert_eq!(rfc3339(-1), "1969-12-31T23:59:59.999999Z");
        assert_eq!(rfc3339(951_782_400_000_000), "2000-02-29T00:00:00.000000Z");
    }

    proptest! {
        #[test]
        fn whatever_a_client_says_has_room(
            ip_address: Option<String>,
            user_agent in prop::option::of(".{0,2000}"),
            reason: String,
            at in -4_000_000_000_000_000_i64..9_000_000_000_000_000,
        ) {
            let entry = Entry::new(
                &Outcome {
                    org_id: Some(Uuid::max()),
                    user_id: Some(Uuid::max()),
                    resource_id: Some(Uuid::max()),
                    ip_address: ip_address.as_deref(),
                    user_agent: user_agent.as_deref(),
                    ..outcome(json!({ "reason": reason, "more": reason.repeat(50) }))
                },
                false,
                at,
            );
            let bytes = entry.to_bytes(MOST);
            prop_assert!(bytes.len() <= MOST);
            let read: Entry = serde_json::from_slice(&bytes).expect("JSON");
            prop_assert!(read.ip_address.is_none_or(|text| (1..=45).contains(&text.chars().count())));
            prop_assert!(!String::from_utf8_lossy(&bytes).contains("\\u0000"));
            prop_assert_eq!(rfc3339(at).len(), 27);
        }
    }
}
