//! An attempt, and what is to become of it: the same steps on shared memory and on rows. Pure logic.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::policy::{Record, Rule};
use super::subject::Subject;

/// Whose attempt it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subjects {
    pub account: Subject,
    pub account_rule: Rule,
    /// Where it comes from, if that is known.
    pub ip_address: Option<(Subject, Rule)>,
    /// The account's user, if there is one whose row is to show how things stand.
    pub user_id: Option<Uuid>,
    /// The account's user, if there is one: what is known of nobody's account is forgotten in time.
    pub owner: Option<Uuid>,
}

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Step {
    /// May it be made? Then it is reserved.
    Begin,
    /// It was right.
    Succeed,
    /// It was neither right nor a guess.
    Withdraw,
    /// The account's failures are forgotten.
    Unlock,
}

/// What is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// Nothing was done: not before this time.
    pub locked_until: Option<i64>,
    /// Whether the user's row shows it.
    pub is_shown: bool,
}

impl Step {
    /// Takes the step on both records, or on none of them.
    pub fn take(
        self,
        now: i64,
        account: (&mut Record, &Rule),
        address: Option<(&mut Record, &Rule)>,
    ) -> Result<(), i64> {
        let (record, rule) = account;
        match (self, address) {
            (Step::Begin, None) => record.reserve(rule, now)?,
            (Step::Begin, Some((address, address_rule))) => {
                let before = *address;
                address.reserve(address_rule, now)?;
                if let Err(until) = record.reserve(rule, now) {
                    *address = before;
                    return Err(until);
                }
            }
            (Step::Succeed, address) => {
                record.succeed(rule);
                if let Some((address, rule)) = address {
                    address.succeed(rule);
                }
            }
            (Step::Withdraw, address) => {
                record.withdraw(rule);
                if let Some((address, rule)) = address {
                    address.withdraw(rule);
                }
            }
            (Step::Unlock, _) => record.unlock(),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: Rule = Rule::account(900_000_000);
    const ADDRESS: Rule = Rule::ip_address(20, 900_000_000);
    const NOW: i64 = 1_800_000_000_000_000;

    #[test]
    fn a_locked_account_does_not_count_against_the_address() {
        let mut account = Record {
            failures: 7,
            last_failed_at: NOW,
            locked_until: Some(NOW + 1),
        };
        let mut address = Record::default();
        let before = (account, address);
        let refused = Step::Begin.take(NOW, (&mut account, &RULE), Some((&mut address, &ADDRESS)));
        assert_eq!(refused, Err(NOW + 1));
        assert_eq!((account, address), before);
    }

    #[test]
    fn a_locked_address_does_not_count_against_the_account() {
        let mut account = Record::default();
        let mut address = Record {
            failures: 30,
            last_failed_at: NOW,
            locked_until: Some(NOW + 9),
        };
        let before = (account, address);
        let refused = Step::Begin.take(NOW, (&mut account, &RULE), Some((&mut address, &ADDRESS)));
        assert_eq!(refused, Err(NOW + 9));
        assert_eq!((account, address), before);
    }

    #[test]
    fn what_ends_an_attempt_ends_it_for_both() {
        for (step, failures) in [(Step::Succeed, (0, 0)), (Step::Withdraw, (3, 0))] {
            let mut account = Record {
                failures: 3,
                ..Record::default()
            };
            let mut address = Record::default();
            for step in [Step::Begin, step] {
                let both = Some((&mut address, &ADDRESS));
                assert_eq!(step.take(NOW, (&mut account, &RULE), both), Ok(()));
            }
            assert_eq!((account.failures, address.failures), failures);
        }
    }
}
