//! Counts of uses without shared memory: a session takes some of a minute's uses from the table, in a transaction
//! of its own, and gives them out by itself. What it does not need by the end of the minute is lost, so that a
//! minute may have fewer uses than its limit, and never more.

use std::cell::RefCell;
use std::collections::HashMap;
use std::time::{Duration, Instant};

use uuid::Uuid;

use super::limit::Scope;
use super::minute::{lease_size, start_of, Answer, Request};
use super::stored::{load, Stored};
use crate::codeverify::changes::{generation, watch};
use crate::codeverify::index_lookup::oid_of;
use crate::codeverify::own_transaction::job::{Job, Reply};
use crate::codeverify::own_transaction::{run, Unavailable};
use crate::codeverify::time;

/// What a session knows of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Lease {
    org_id: Uuid,
    minute: u32,
    /// Uses of the minute that sessions have taken, this one among them.
    count: u32,
    /// How many of them are this session's and still to be made.
    unused: u32,
    /// What was known of the keys' table when the key was last looked up there: it may have been deleted since.
    generation: u64,
}

impl Lease {
    fn begin(minute: u32, stored: &Stored, generation: u64) -> Lease {
        Lease {
            org_id: stored.org_id,
            minute,
            count: stored.count,
            unused: 0,
            generation,
        }
    }

    /// Uses that have been made, as far as the session knows.
    fn used(&self) -> u32 {
        self.count.saturating_sub(self.unused)
    }

    /// Makes uses out of those that were taken. None where they do not suffice.
    fn charge(&mut self, request: Request) -> Option<Answer> {
        if request.charge(self.used()).is_none() {
            return Some(Answer::refused(request.remaining(self.used()), self.minute));
        }
        self.unused = self.unused.checked_sub(request.cost)?;
        Some(Answer::allowed(request.remaining(self.used()), self.minute))
    }

    /// Notes uses that were taken when `count` had been, with them.
    fn add(&mut self, granted: u32, count: u32) {
        self.unused = self.unused.saturating_add(granted);
        self.count = self.count.max(count);
    }
}

/// Keys that a session keeps leases of.
const MOST_LEASES: usize = 1024;

/// How long a session counts by itself after it could not have a transaction of its own, rather than wait for one again.
const PAUSE: Duration = Duration::from_secs(5);

thread_local! {
    static LEASES: RefCell<HashMap<Uuid, Lease>> = RefCell::new(HashMap::new());
    static UNAVAILABLE: RefCell<Option<Instant>> = const { RefCell::new(None) };
}

/// Counts uses, out of the session's lease or a new one.
pub fn charge(api_key_id: Uuid, minute: u32, request: Request, scope: Scope) -> Answer {
    let held = LEASES
        .with_borrow(|leases| leases.get(&api_key_id).copied())
        .filter(|lease| lease.minute == minute);
    let is_sure = |lease: &Lease| lease.generation == generation();
    if let Some(mut lease) = held.filter(|lease| scope.covers(lease.org_id) && is_sure(lease)) {
        // What the session has in hand; a refusal has to be seen in the table.
        if let Some(answer) = lease.charge(request).filter(|answer| answer.allowed) {
            keep(api_key_id, lease);
            return answer;
        }
    }
    watch(oid_of(c"auth", c"api_keys"));
    let generation = generation();
    let stored = load(api_key_id, minute).filter(|stored| scope.covers(stored.org_id));
    let Some(stored) = stored else {
        return Answer::refused(0, minute);
    };
    let mut lease = held.unwrap_or_else(|| Lease::begin(minute, &stored, generation));
    lease.generation = generation;
    lease.count = lease.count.max(stored.count);
    let answer = lease.charge(request).unwrap_or_else(|| {
        let needed = request.cost - lease.unused;
        let want = lease_size(needed, request.remaining(lease.count));
        match take(api_key_id, minute, request.max, want) {
            // Nobody else knows the key, since its own transaction has not ended: nobody else uses it.
            Ok((0, 0)) | Err(_) => count_alone(&mut lease, needed, request.max),
            Ok((granted, count)) => lease.add(granted, count),
        }
        lease
            .charge(request)
            .unwrap_or_else(|| Answer::refused(request.remaining(lease.count), minute))
    });
    keep(api_key_id, lease);
    answer
}

/// Takes uses without telling the others.
fn count_alone(lease: &mut Lease, needed: u32, max: u32) {
    let granted = needed.min(max.saturating_sub(lease.count));
    let count = lease.count.saturating_add(granted);
    lease.add(granted, count);
}

/// Uses that were granted, and those that the minute has had with them.
fn take(api_key_id: Uuid, minute: u32, max: u32, want: u32) -> Result<(u32, u32), Unavailable> {
    let failed = UNAVAILABLE.with_borrow(|at| at.is_some_and(|at| at.elapsed() < PAUSE));
    if failed {
        return Err(Unavailable::NoWorker);
    }
    let reply = run(&Job::TakeLease {
        api_key_id,
        window_start: time::from_stored(start_of(minute)),
        max: i32::try_from(max).unwrap_or(i32::MAX),
        want: i32::try_from(want).unwrap_or(i32::MAX),
    });
    match reply {
        Ok(Reply::Lease { granted, count }) => Ok((
            u32::try_from(granted).unwrap_or(0),
            u32::try_from(count).unwrap_or(0),
        )),
        other => {
            UNAVAILABLE.set(Some(Instant::now()));
            Err(other.err().unwrap_or(Unavailable::Failed))
        }
    }
}

fn keep(api_key_id: Uuid, lease: Lease) {
    LEASES.with_borrow_mut(|leases| {
        if leases.len() >= MOST_LEASES && !leases.contains_key(&api_key_id) {
            leases.retain(|_, kept| kept.minute == lease.minute);
            if leases.len() >= MOST_LEASES {
                // What they have left is lost to their keys until the minute ends.
                leases.clear();
            }
        }
        leases.insert(api_key_id, lease);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lease(count: u32, unused: u32) -> Lease {
        Lease {
            org_id: Uuid::nil(),
            minute: 50,
            count,
            unused,
            generation: 0,
        }
    }

    fn ask(lease: &mut Lease, max: u32, cost: u32) -> Option<(bool, u32)> {
        lease
            .charge(Request { max, cost })
            .map(|answer| (answer.allowed, answer.remaining))
    }

    #[test]
    fn uses_are_given_out_of_those_taken() {
        let mut lease = lease(30, 5);
        assert_eq!(ask(&mut lease, 100, 3), Some((true, 72)));
        assert_eq!(ask(&mut lease, 100, 2), Some((true, 70)));
        assert_eq!(ask(&mut lease, 100, 1), None, "more have to be taken");
        lease.add(10, 90);
        assert_eq!(ask(&mut lease, 100, 1), Some((true, 19)));
    }

    #[test]
    fn a_limit_that_was_lowered_holds() {
        let mut lease = lease(30, 5);
        assert_eq!(ask(&mut lease, 26, 2), Some((false, 1)));
        assert_eq!(ask(&mut lease, 26, 1), Some((true, 0)));
        assert_eq!(ask(&mut lease, 10, 1), Some((false, 0)));
    }

    #[test]
    fn alone_a_session_keeps_to_the_limit_too() {
        let mut lease = lease(8, 0);
        count_alone(&mut lease, 5, 10);
        assert_eq!(lease.unused, 2);
        assert_eq!(ask(&mut lease, 10, 5), Some((false, 2)), "takes nothing");
        assert_eq!(ask(&mut lease, 10, 2), Some((true, 0)));
        count_alone(&mut lease, 1, 10);
        assert_eq!(ask(&mut lease, 10, 1), Some((false, 0)));
    }
}
