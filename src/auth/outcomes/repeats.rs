//! Failures that a session causes again and again: the first few of a minute are told one by one, the others are
//! counted and told, with their number, by the next that is. A client who is locked out, or has one token that was
//! used, would else fill a ledger that nobody can empty.

use std::cell::RefCell;
use std::collections::HashMap;

use uuid::Uuid;

use super::entry::Entry;

/// How many of a kind are told in a minute.
const TOLD: u32 = 10;

/// In microseconds.
const MINUTE: i64 = 60_000_000;

/// How many kinds are kept in mind. Of a session that fails in more ways than this, more is told.
const MOST: usize = 256;

thread_local! {
    /// Not in a table: a caller who rolls back would make it forgotten.
    static REPEATS: RefCell<Repeats> = RefCell::default();
}

/// What makes two failures the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Kind {
    action: String,
    org_id: Option<Uuid>,
    user_id: Option<Uuid>,
    resource_id: Option<Uuid>,
    reason: Option<String>,
    /// The address that was tried. One who is locked out may try as many as they like.
    email_sha256: Option<String>,
    ip_address: Option<String>,
}

impl Kind {
    fn of(entry: &Entry) -> Kind {
        let text = |name: &str| {
            entry
                .details
                .get(name)
                .and_then(|value| value.as_str())
                .map(str::to_owned)
        };
        let reason = text("reason");
        let is_locked = reason.as_deref() == Some("locked");
        Kind {
            action: entry.action.clone(),
            org_id: entry.org_id,
            user_id: entry.user_id,
            resource_id: entry.resource_id,
            reason,
            email_sha256: text("email_sha256").filter(|_| !is_locked),
            ip_address: entry.ip_address.clone(),
        }
    }
}

/// Of one kind.
#[derive(Default)]
struct Seen {
    /// When the minute began.
    since: i64,
    told: u32,
    /// Since one was told.
    untold: u64,
}

#[derive(Default)]
struct Repeats(HashMap<Kind, Seen>);

impl Repeats {
    /// Whether a failure is told, and how many of its kind before it were not.
    fn tell(&mut self, kind: Kind, now: i64) -> Option<u64> {
        if self.0.len() >= MOST && !self.0.contains_key(&kind) {
            self.0.clear();
        }
        let seen = self.0.entry(kind).or_default();
        // A clock that was set back must not silence it.
        if !(seen.since..seen.since.saturating_add(MINUTE)).contains(&now) {
            seen.since = now;
            seen.told = 0;
        }
        if seen.told < TOLD {
            seen.told += 1;
            Some(std::mem::take(&mut seen.untold))
        } else {
            seen.untold = seen.untold.saturating_add(1);
            None
        }
    }
}

/// The failure as it is to be told; None when it is only counted.
pub fn tell(mut entry: Entry) -> Option<Entry> {
    let kind = Kind::of(&entry);
    let repeated = REPEATS.with_borrow_mut(|repeats| repeats.tell(kind, entry.at))?;
    if repeated > 0 {
        entry.details.insert("repeated".to_owned(), repeated.into());
    }
    Some(entry)
}

#[cfg(test)]
mod tests {
    use super::super::Outcome;
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn kind(reason: &str, email: &str, ip_address: &str) -> Kind {
        let outcome = Outcome {
            ip_address: Some(ip_address),
            ..Outcome::of(
                "login.failed",
                json!({ "reason": reason, "email_sha256": email }),
            )
        };
        Kind::of(&Entry::new(&outcome, false, 0))
    }

    #[test]
    fn the_first_of_a_minute_are_told_and_the_next_minute_says_how_many_were_not() {
        let mut repeats = Repeats::default();
        let same = || kind("locked", "a", "192.0.2.1");
        for second in 0..30 {
            let expected = (second < 10).then_some(0);
            assert_eq!(repeats.tell(same(), second * 1_000_000), expected);
        }
        assert_eq!(repeats.tell(same(), MINUTE), Some(20));
        assert_eq!(repeats.tell(same(), MINUTE + 1), Some(0));
    }

    #[test]
    fn who_is_locked_out_is_one_whatever_address_they_try() {
        assert_eq!(kind("locked", "a", "::1"), kind("locked", "b", "::1"));
        assert_ne!(kind("locked", "a", "::1"), kind("locked", "a", "::2"));
        assert_ne!(
            kind("unknown_user", "a", "::1"),
            kind("unknown_user", "b", "::1")
        );
    }

    #[test]
    fn a_clock_that_was_set_back_silences_nothing() {
        let mut repeats = Repeats::default();
        let same = || kind("locked", "a", "::1");
        for _ in 0..11 {
            repeats.tell(same(), 10 * MINUTE);
        }
        assert_eq!(repeats.tell(same(), 0), Some(1));
    }

    proptest! {
        #[test]
        fn each_is_told_or_counted(steps in prop::collection::vec((0u8..4, 0i64..20_000_000), 1..300)) {
            let mut repeats = Repeats::default();
            let (mut now, mut told) = (0, 0);
            for (which, time) in &steps {
                now += time;
                if let Some(repeated) = repeats.tell(kind("locked", "a", &which.to_string()), now) {
                    told += 1 + repeated;
                }
            }
            let untold: u64 = repeats.0.values().map(|seen| seen.untold).sum();
            prop_assert_eq!(told + untold, steps.len() as u64);
        }

        #[test]
        fn it_takes_no_more_memory_than_that(addresses in prop::collection::vec("[a-z]{4}", 1..1000)) {
            let mut repeats = Repeats::default();
            for address in addresses {
                repeats.tell(kind("unknown_user", &address, "::1"), 0);
                prop_assert!(repeats.0.len() <= MOST);
            }
        }
    }
}
