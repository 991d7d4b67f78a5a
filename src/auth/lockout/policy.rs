//! When an attempt to log in may be made: pure arithmetic on what is known of an account or an address.

use serde::{Deserialize, Serialize};

/// In microseconds, as all times here; since 1970.
const SECOND: i64 = 1_000_000;

/// From this time on nothing is locked: stands for "not before somebody unlocks it". Not infinity, which many
/// drivers cannot read.
pub const NEVER: i64 = 253_370_764_800 * SECOND; // 9999-01-01 00:00:00 UTC

/// How failures of one kind of subject are answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// Which failure in a row is the first to delay the next attempt, by a second; each later one doubles that.
    pub delays_from: i32,
    /// The longest delay.
    pub longest: i64,
    /// After so many no attempt is heard until somebody unlocks the subject.
    pub ends_at: Option<i32>,
    /// After so long without a failure they are forgotten.
    pub forgets_after: Option<i64>,
    /// Whether a success forgets all failures, or only takes back what its own attempt was counted as.
    pub success_forgets: bool,
}

impl Rule {
    /// For accounts. NIST SP 800-63B 5.2.2 allows at most 100 failures in a row.
    pub const fn account(longest: i64) -> Rule {
        Rule {
            delays_from: 5,
            longest,
            ends_at: Some(100),
            forgets_after: None,
            success_forgets: true,
        }
    }

    /// For addresses, which many people may share. Who has an account of their own must not be able to clear
    /// the address by logging in between guesses at others.
    pub const fn ip_address(delays_from: i32, longest: i64) -> Rule {
        Rule {
            delays_from,
            longest,
            ends_at: None,
            forgets_after: Some(3_600 * SECOND),
            success_forgets: false,
        }
    }

    /// Until when the failure with this number, at `now`, keeps others away.
    fn lock_after(&self, failures: i32, now: i64) -> Option<i64> {
        if self.ends_at.is_some_and(|last| failures >= last) {
            return Some(NEVER);
        }
        let doublings = u32::try_from(failures - self.delays_from).ok()?;
        let delay = 1_i64
            .checked_shl(doublings)
            .filter(|seconds| *seconds > 0)
            .and_then(|seconds| seconds.checked_mul(SECOND))
            .map_or(self.longest, |delay| delay.min(self.longest));
        Some(now.saturating_add(delay))
    }
}

/// What is known of a subject.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// Attempts in a row that failed or whose outcome is not known yet.
    pub failures: i32,
    /// When the last of them was made.
    pub last_failed_at: i64,
    /// No attempt before this time.
    pub locked_until: Option<i64>,
}

impl Record {
    /// Until when attempts are refused; None when one may be made.
    pub fn lock(&self, now: i64) -> Option<i64> {
        self.locked_until.filter(|until| *until > now)
    }

    /// Reserves an attempt, which counts as a failure until its end is told; or says until when none may be made.
    ///
    /// Where failures delay, the reservation locks: of many attempts at once a single one goes through.
    pub fn reserve(&mut self, rule: &Rule, now: i64) -> Result<(), i64> {
        if let Some(until) = self.lock(now) {
            return Err(until);
        }
        if self.is_forgotten(rule, now) {
            self.failures = 0;
        }
        self.failures = self.failures.saturating_add(1);
        self.last_failed_at = now;
        self.locked_until = rule.lock_after(self.failures, now);
        Ok(())
    }

    /// The attempt was right.
    pub fn succeed(&mut self, rule: &Rule) {
        if rule.success_forgets {
            self.unlock();
        } else {
            self.withdraw(rule);
        }
    }

    /// Forgets the failures.
    pub fn unlock(&mut self) {
        self.failures = 0;
        self.locked_until = None;
    }

    /// The attempt says nothing: it was not right, and not a guess.
    pub fn withdraw(&mut self, rule: &Rule) {
        self.failures = self.failures.saturating_sub(1).max(0);
        if self.failures < rule.delays_from {
            self.locked_until = None;
        } else if rule.ends_at.is_some_and(|last| self.failures + 1 == last) {
            self.locked_until = rule.lock_after(self.failures, self.last_failed_at);
        }
    }

    /// Whether the subject is as if nothing had been, so that nobody needs to remember it.
    pub fn is_forgotten(&self, rule: &Rule, now: i64) -> bool {
        self.failures == 0
            || (self.lock(now).is_none()
                && rule
                    .forgets_after
                    .is_some_and(|time| now.saturating_sub(self.last_failed_at) >= time))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MINUTE: i64 = 60 * SECOND;
    const NOW: i64 = 1_800_000_000 * SECOND;
    const ACCOUNT: Rule = Rule::account(15 * MINUTE);
    const ADDRESS: Rule = Rule::ip_address(20, 15 * MINUTE);

    /// The delay after each of so many failures, each made as soon as it may be.
    fn delays(rule: &Rule, count: usize) -> Vec<i64> {
        let mut record = Record::default();
        let mut now = NOW;
        (0..count)
            .map(|_| {
                record.reserve(rule, now).expect("the time has passed");
                let delay = record.locked_until.map_or(0, |until| until - now);
                now += delay;
                delay / SECOND
            })
            .collect()
    }

    #[test]
    fn the_fifth_failure_is_the_first_to_delay() {
        assert_eq!(
            delays(&ACCOUNT, 17),
            [0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900]
        );
    }

    #[test]
    fn addresses_have_more_patience_and_no_end() {
        let delays = delays(&ADDRESS, 500);
        assert_eq!(delays[..20], [[0; 19].as_slice(), &[1]].concat());
        assert_eq!(delays[20..23], [2, 4, 8]);
        assert!(delays[30..].iter().all(|delay| *delay == 900));
    }

    #[test]
    fn a_hundred_failures_are_the_end() {
        let mut record = Record::default();
        let mut now = NOW;
        for _ in 0..100 {
            assert_eq!(record.reserve(&ACCOUNT, now), Ok(()));
            now = record.locked_until.unwrap_or(now);
        }
        assert_eq!(record.locked_until, Some(NEVER));
        assert_eq!(record.reserve(&ACCOUNT, now.min(NEVER - 1)), Err(NEVER));
        assert_eq!(record.failures, 100);
    }

    #[test]
    fn the_hundredth_may_be_right() {
        let mut record = Record {
            failures: 99,
            last_failed_at: NOW,
            locked_until: None,
        };
        assert_eq!(record.reserve(&ACCOUNT, NOW), Ok(()));
        let mut unclear = record;
        unclear.withdraw(&ACCOUNT);
        assert_eq!(unclear.locked_until, Some(NOW + 15 * MINUTE));
        record.succeed(&ACCOUNT);
        assert_eq!((record.failures, record.locked_until), (0, None));
    }

    #[test]
    fn of_many_at_once_five_go_through() {
        let mut record = Record::default();
        let heard = (0..64)
            .filter(|_| record.reserve(&ACCOUNT, NOW).is_ok())
            .count();
        assert_eq!(heard, 5);
        let later = (0..64)
            .filter(|_| record.reserve(&ACCOUNT, NOW + SECOND).is_ok())
            .count();
        assert_eq!(later, 1);
    }

    #[test]
    fn an_account_remembers_until_a_success_and_an_address_for_an_hour() {
        let mut account = Record::default();
        let mut address = Record::default();
        for _ in 0..4 {
            account.reserve(&ACCOUNT, NOW).expect("free");
            address.reserve(&ADDRESS, NOW).expect("free");
        }
        let later = NOW + 60 * MINUTE;
        assert!(!address.is_forgotten(&ADDRESS, later - 1));
        assert!(address.is_forgotten(&ADDRESS, later));
        address.reserve(&ADDRESS, later).expect("free");
        assert_eq!(address.failures, 1);
        let years = NOW + 5 * 365 * 24 * 60 * MINUTE;
        assert!(!account.is_forgotten(&ACCOUNT, years));
        account.reserve(&ACCOUNT, years).expect("free");
        assert_eq!(account.failures, 5);
        account.succeed(&ACCOUNT);
        assert!(account.is_forgotten(&ACCOUNT, years));
    }

    #[test]
    fn one_who_logs_in_does_not_clear_the_address_for_guesses() {
        let mut address = Record::default();
        for turn in 0..19 {
            address.reserve(&ADDRESS, NOW + turn).expect("a guess");
            address
                .reserve(&ADDRESS, NOW + turn)
                .expect("one's own account");
            address.succeed(&ADDRESS);
        }
        assert_eq!(address.failures, 19);
        address.reserve(&ADDRESS, NOW + 20).expect("the 20th");
        assert!(address.reserve(&ADDRESS, NOW + 21).is_err());
    }

    #[test]
    fn a_success_from_a_busy_address_lifts_the_lock_that_its_own_attempt_made() {
        let mut address = Record {
            failures: 19,
            last_failed_at: NOW,
            locked_until: None,
        };
        address.reserve(&ADDRESS, NOW).expect("the 20th");
        assert!(address.lock(NOW).is_some());
        address.succeed(&ADDRESS);
        assert_eq!((address.failures, address.locked_until), (19, None));
    }

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Guess,
        Succeed,
        Withdraw,
        Wait(i64),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        prop::collection::vec(
            prop_oneof![
                6 => Just(Step::Guess),
                1 => Just(Step::Succeed),
                1 => Just(Step::Withdraw),
                3 => (0..3 * MINUTE).prop_map(Step::Wait),
                1 => (0..2_000 * MINUTE).prop_map(Step::Wait),
            ],
            0..300,
        )
    }

    proptest! {
        #[test]
        fn whatever_is_tried(
            steps in steps(),
            delays_from in 1..40_i32,
            longest in SECOND..100_000 * SECOND,
            is_account: bool,
        ) {
            let rule = if is_account {
                Rule::account(longest)
            } else {
                Rule::ip_address(delays_from, longest)
            };
            let mut record = Record::default();
            let mut now = NOW;
            let mut heard = Vec::new();
            for step in steps {
                match step {
                    Step::Guess => {
                        let before = record;
                        match record.reserve(&rule, now) {
                            Ok(()) => {
                                heard.push(now);
                                prop_assert!(before.lock(now).is_none());
                                // An hour that was quiet may have forgotten the others.
                                prop_assert!(record.failures == before.failures + 1 || record.failures == 1);
                                prop_assert_eq!(record.locked_until.is_some(), record.failures >= rule.delays_from);
                                if let Some(until) = record.locked_until {
                                    prop_assert!(until == NEVER || (until > now && until - now <= longest));
                                }
                            }
                            Err(until) => {
                                prop_assert!(until > now);
                                prop_assert_eq!(record, before, "what is refused changes nothing");
                            }
                        }
                    }
                    Step::Succeed if !heard.is_empty() => record.succeed(&rule),
                    Step::Withdraw if !heard.is_empty() => record.withdraw(&rule),
                    Step::Succeed | Step::Withdraw => {}
                    Step::Wait(time) => now += time,
                }
                prop_assert!(record.failures >= 0);
                prop_assert!(rule.ends_at.is_none_or(|last| record.failures <= last));
            }
        }

        #[test]
        fn extreme_numbers_do_no_harm(failures: i32, now: i64, last_failed_at: i64, locked_until: Option<i64>) {
            for rule in [ACCOUNT, ADDRESS, Rule::account(i64::MAX), Rule::ip_address(1, 0)] {
                let mut record = Record { failures, last_failed_at, locked_until };
                let _ = record.reserve(&rule, now);
                record.withdraw(&rule);
                record.succeed(&rule);
                record.is_forgotten(&rule, now);
            }
        }
    }
}
