//! What becomes of a refresh token that is presented: pure logic over what the database knows of its session.
//!
//! Each token is exchanged once. But an answer can get lost, and two tabs can ask at once, so for a few seconds the
//! parent of the current token gives the same child again. Any other token that was exchanged before is in two hands, and
//! nobody can tell which is the thief's: the session ends.

/// How long the parent of the current token may be presented again, in microseconds.
pub const GRACE: i64 = 10_000_000;

/// A session, of which the presented token is or was one. Times are in microseconds on one clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Family<'a> {
    /// Hash of the token that has not been exchanged; None for a session without one.
    pub current: Option<&'a str>,
    /// Hash of the token that the current one was given for, and when.
    pub parent: Option<(&'a str, i64)>,
    /// When the session ends, whatever comes first.
    pub ends_at: i64,
    pub is_revoked: bool,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Give the token's child, which replaces it.
    Exchange,
    /// Give the current pair again, and change nothing.
    Repeat,
    /// End the session.
    Theft,
    /// The session has ended.
    Revoked,
    /// The session has come to its end by itself.
    Expired,
}

/// Judges a token by its hash. It is `presented_at` when the request began, not when a lock was granted: who waits for
/// another that exchanges the same token does not become a thief by waiting.
pub fn decide(family: &Family, presented: &str, presented_at: i64) -> Decision {
    if family.is_revoked {
        return Decision::Revoked;
    }
    if family.ends_at <= presented_at {
        return Decision::Expired;
    }
    if family.current == Some(presented) {
        return Decision::Exchange;
    }
    match family.parent {
        Some((parent, exchanged_at))
            if parent == presented && presented_at.saturating_sub(exchanged_at) <= GRACE =>
        {
            Decision::Repeat
        }
        _ => Decision::Theft,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: i64 = 1_000_000;

    fn family() -> Family<'static> {
        Family {
            current: Some("child"),
            parent: Some(("parent", 100 * SECOND)),
            ends_at: 1000 * SECOND,
            is_revoked: false,
        }
    }

    #[test]
    fn the_current_token_is_exchanged() {
        assert_eq!(decide(&family(), "child", 500 * SECOND), Decision::Exchange);
        let first = Family {
            parent: None,
            ..family()
        };
        assert_eq!(decide(&first, "child", 0), Decision::Exchange);
    }

    #[test]
    fn the_parent_gives_the_same_pair_for_ten_seconds() {
        let decide = |at| decide(&family(), "parent", at);
        assert_eq!(decide(100 * SECOND), Decision::Repeat);
        assert_eq!(decide(110 * SECOND), Decision::Repeat);
        assert_eq!(decide(110 * SECOND + 1), Decision::Theft);
        // Presented before it was exchanged, by one who then waited.
        assert_eq!(decide(50 * SECOND), Decision::Repeat);
    }

    #[test]
    fn an_older_token_is_theft_at_once() {
        assert_eq!(
            decide(&family(), "grandparent", 100 * SECOND),
            Decision::Theft
        );
    }

    #[test]
    fn a_session_without_a_refresh_token_gives_none() {
        let family = Family {
            current: None,
            parent: None,
            ..family()
        };
        assert_eq!(decide(&family, "old", 0), Decision::Theft);
    }

    #[test]
    fn what_has_ended_gives_nothing() {
        for token in ["child", "parent", "grandparent"] {
            let revoked = Family {
                is_revoked: true,
                ..family()
            };
            assert_eq!(decide(&revoked, token, 101 * SECOND), Decision::Revoked);
            assert_eq!(decide(&revoked, token, 2000 * SECOND), Decision::Revoked);
            assert_eq!(decide(&family(), token, 1000 * SECOND), Decision::Expired);
        }
        assert_eq!(
            decide(&family(), "child", 1000 * SECOND - 1),
            Decision::Exchange
        );
    }

    #[test]
    fn clocks_at_their_ends_do_not_overflow() {
        let at = |exchanged_at, now| {
            let family = Family {
                parent: Some(("parent", exchanged_at)),
                ends_at: i64::MAX,
                ..family()
            };
            decide(&family, "parent", now)
        };
        assert_eq!(at(i64::MIN, i64::MAX - 1), Decision::Theft);
        assert_eq!(at(i64::MAX, i64::MIN), Decision::Repeat);
    }

    /// A session as the database keeps it, with every token that it has had. Tokens are numbered in the order in which
    /// they were given.
    struct Session {
        current: usize,
        exchanged_at: Option<i64>,
        is_revoked: bool,
    }

    impl Session {
        fn begin() -> Session {
            Session {
                current: 0,
                exchanged_at: None,
                is_revoked: false,
            }
        }

        fn refresh(&mut self, token: usize, now: i64) -> Option<usize> {
            let name = |token: usize| token.to_string();
            let (current, parent) = (name(self.current), name(self.current.wrapping_sub(1)));
            let family = Family {
                current: Some(&current),
                parent: self.exchanged_at.map(|at| (parent.as_str(), at)),
                ends_at: i64::MAX,
                is_revoked: self.is_revoked,
            };
            match decide(&family, &name(token), now) {
                Decision::Exchange => {
                    self.current += 1;
                    self.exchanged_at = Some(now);
                    Some(self.current)
                }
                Decision::Repeat => Some(self.current),
                Decision::Theft => {
                    self.is_revoked = true;
                    None
                }
                Decision::Revoked | Decision::Expired => None,
            }
        }
    }

    proptest! {
        /// Answers get lost and clients try again at once, in several tabs: nobody is taken for a thief.
        #[test]
        fn an_honest_client_is_never_turned_out(
            steps in proptest::collection::vec((0..100 * SECOND, any::<bool>(), 0..=GRACE), 1..100)
        ) {
            let mut session = Session::begin();
            let mut held = 0;
            let mut now = 0;
            for (pause, answer_is_lost, retry_after) in steps {
                now += pause;
                let mut answer = session.refresh(held, now);
                if answer_is_lost {
                    now += retry_after;
                    answer = session.refresh(held, now);
                }
                prop_assert!(answer.is_some());
                held = answer.unwrap_or(held);
                prop_assert_eq!(held, session.current);
            }
        }

        /// Whoever copies a token, and whichever of the two uses it first: once both have gone on from it, more than ten
        /// seconds apart, the session is over for both.
        #[test]
        fn two_holders_end_the_session(
            before in 0usize..20, thief_first: bool, own_steps in 1usize..5, pause in GRACE + 1..1000 * SECOND
        ) {
            let mut session = Session::begin();
            let mut now = 0;
            for _ in 0..before {
                now += pause;
                session.refresh(session.current, now);
            }
            let mut hands = [session.current, session.current];
            let first = usize::from(thief_first);
            for _ in 0..own_steps {
                now += pause;
                let answer = session.refresh(hands[first], now);
                prop_assert_eq!(answer, Some(session.current));
                hands[first] = session.current;
            }
            now += pause;
            prop_assert_eq!(session.refresh(hands[1 - first], now), None);
            prop_assert!(session.is_revoked);
            prop_assert_eq!(session.refresh(hands[first], now), None);
        }

        /// Anything presented at any time, forwards and backwards.
        #[test]
        fn a_token_that_is_neither_current_nor_its_parent_opens_nothing(
            requests in proptest::collection::vec((0usize..12, -GRACE..5 * GRACE), 1..100)
        ) {
            let mut session = Session::begin();
            let mut now = 0;
            for (token, pause) in requests {
                now += pause;
                let token = token.min(session.current);
                let (was_current, was_revoked) = (session.current, session.is_revoked);
                let answer = session.refresh(token, now);
                if was_revoked || token + 1 < was_current {
                    prop_assert_eq!(answer, None);
                    prop_assert!(session.is_revoked);
                    prop_assert_eq!(session.current, was_current);
                } else if let Some(given) = answer {
                    prop_assert_eq!(given, session.current);
                    prop_assert!(given == was_current || (token == was_current && given == was_current + 1));
                }
            }
        }
    }
}
