//! Slows down guessing: failures in a row are counted by account and by IP address, outside the
//! transactions that log in, and from the fifth on each makes the next attempt wait longer.
//!
//! They are counted in shared memory where the library is preloaded, elsewhere on rows of auth.login_attempts
//! in transactions of their own. Where neither can be done nobody logs in: a server that does not count would
//! answer any number of guesses.

mod memory;
pub mod policy;
pub mod request;
mod rows;
pub mod settings;
pub mod sql;
pub mod subject;

use uuid::Uuid;

use self::policy::NEVER;
use self::request::{Answer, Step, Subjects};
use self::subject::Kind;
use crate::codeverify::own_transaction;
use crate::codeverify::own_transaction::job::{Job, Reply};
use crate::codeverify::owner::as_owner;
use crate::codeverify::settings::own_transactions;
use crate::codeverify::shared_memory;
use crate::codeverify::time;
use crate::codeverify::transaction::{can_write, reads_what_is_committed};

pub use memory::{flush, ATTEMPTS};

/// How long those wait whose attempts cannot be counted, in microseconds.
const UNAVAILABLE: i64 = 1_000_000;

/// What becomes of an attempt to log in.
pub enum Verdict {
    /// It may be made. It counts as a failure until it is said to have succeeded, so that any number of
    /// attempts at once are counted before one of them is checked.
    Go(Attempt),
    /// Not before this time, in microseconds since 1970; None for an account that takes a password reset.
    Locked { until: Option<i64> },
}

/// An attempt that was allowed. One that is dropped has failed.
pub struct Attempt {
    subjects: Subjects,
}

/// Begins an attempt at an account, named by its normalised mail address whether it exists or not, from an
/// IP address where one is known.
pub fn begin(account: &str, ip_address: Option<&str>) -> Verdict {
    begin_of(subjects_of(account, ip_address))
}

/// As `begin`, for a user whose account may have a name that no user is found by.
pub fn begin_for(user_id: Uuid, account: &str, ip_address: Option<&str>) -> Verdict {
    begin_of(Subjects {
        owner: Some(user_id),
        ..subjects_of(account, ip_address)
    })
}

fn begin_of(subjects: Subjects) -> Verdict {
    let locked_until = take(Step::Begin, &subjects).map_or_else(
        || Some(time::now() + UNAVAILABLE),
        |answer| answer.locked_until,
    );
    match locked_until {
        None => Verdict::Go(Attempt { subjects }),
        Some(until) => Verdict::Locked {
            until: Some(until).filter(|until| *until < NEVER),
        },
    }
}

/// Begins an attempt at the second factor of a user. Those are counted by themselves: whoever can change the password,
/// or set it by a mail, and so makes the account's failures forgotten, has no more guesses for it.
pub fn begin_second_factor(user_id: Uuid) -> Verdict {
    begin_of(second_factor_of(user_id))
}

/// Forgets failures at the second factor, as when it is taken away.
pub fn unlock_second_factor(user_id: Uuid) {
    end(Step::Unlock, &second_factor_of(user_id));
}

/// No account has this name: there is no space in one.
fn second_factor_of(user_id: Uuid) -> Subjects {
    Subjects {
        owner: Some(user_id),
        ..subjects_of(&format!("second factor of {user_id}"), None)
    }
}

impl Attempt {
    /// The attempt was right: its account has no failures any more.
    pub fn succeed(self) {
        self.end(Step::Succeed);
    }

    /// The attempt says nothing: it counts neither as a failure nor as a success, as where only a second factor
    /// was missing.
    pub fn withdraw(self) {
        self.end(Step::Withdraw);
    }

    fn end(&self, step: Step) {
        end(step, &self.subjects);
    }
}

/// Forgets an account's failures, as after a password reset.
pub fn unlock(account: &str) {
    end(Step::Unlock, &subjects_of(account, None));
}

fn subjects_of(account: &str, ip_address: Option<&str>) -> Subjects {
    let user_id = as_owner(|| rows::find_user(account));
    Subjects {
        account: subject::account(account),
        account_rule: settings::rule(Kind::Account),
        ip_address: ip_address
            .and_then(subject::ip_address)
            .map(|subject| (subject, settings::rule(Kind::IpAddress))),
        user_id,
        owner: user_id,
    }
}

/// Takes a step; None where it cannot be taken.
fn take(step: Step, subjects: &Subjects) -> Option<Answer> {
    if shared_memory::is_available() && own_transactions() {
        if let Ok(taken) = memory::take(step, subjects) {
            return Some(Answer {
                locked_until: taken.err(),
                // The writer will show it.
                is_shown: true,
            });
        }
    }
    if step == Step::Begin && own_transactions() {
        // Who is locked out is told so without starting a process for it.
        let now = time::now();
        let locked_until = as_owner(|| {
            let account = rows::load(&subjects.account).unwrap_or_default();
            if subjects.owner.is_some() && subjects.owner != account.owner {
                // It is to be noted whose the account has become.
                return None;
            }
            let address = subjects
                .ip_address
                .and_then(|(subject, _)| rows::load(&subject));
            account
                .record
                .lock(now)
                .max(address.and_then(|address| address.record.lock(now)))
        });
        if locked_until.is_some() {
            return Some(Answer {
                locked_until,
                is_shown: true,
            });
        }
    }
    let mut subjects = *subjects;
    if own_transactions() && !reads_what_is_committed() {
        // The caller could not change a user's row any more that was changed since its snapshot.
        subjects.user_id = None;
    }
    match own_transaction::run(&Job::Attempt(step, subjects)) {
        Ok(Reply::Attempt(answer)) => Some(answer),
        _ => None,
    }
}

/// Takes a step that is no question. What it changes is shown at once where that can be.
fn end(step: Step, subjects: &Subjects) {
    let is_shown = take(step, subjects).is_some_and(|answer| answer.is_shown);
    let Some(user_id) = subjects.user_id.filter(|_| !is_shown && can_write()) else {
        return;
    };
    // It may be the caller who is changing the row.
    if step != Step::Withdraw && reads_what_is_committed() {
        as_owner(|| rows::show(user_id, &policy::Record::default()));
    }
}

/// Takes a step on the rows, in a transaction of its own and as codeverify_owner.
pub fn take_on_rows(step: Step, subjects: &Subjects) -> Answer {
    let now = time::now();
    // Always in this order, so that two attempts never wait for each other.
    let address_before = subjects
        .ip_address
        .filter(|_| step != Step::Unlock)
        .map(|(subject, rule)| (subject, rule, rows::lock(&subject).record));
    let before = rows::lock(&subjects.account);
    let mut record = before.record;
    let mut address = address_before;
    let taken = step.take(
        now,
        (&mut record, &subjects.account_rule),
        address.as_mut().map(|(_, rule, record)| (record, &*rule)),
    );
    if let Some((subject, _, record)) = address.filter(|_| address != address_before) {
        rows::store(&subject, &record, None);
    }
    let owner = subjects.owner.or(before.owner);
    if (record, owner) != (before.record, before.owner) {
        rows::store(&subjects.account, &record, owner);
    }
    if step == Step::Begin && now % 64 == 0 {
        rows::forget_old();
    }
    Answer {
        locked_until: taken.err(),
        // For an account that nobody has it is tried too, since the process is new and most of the time goes
        // into finding out how: the time must not tell who has one.
        is_shown: taken.is_err() || rows::show(subjects.user_id.unwrap_or_default(), &record),
    }
}
