//! Counts of uses in shared memory.

use std::sync::atomic::{AtomicU64, Ordering};

use pgrx::pg_sys;
use uuid::Uuid;

use super::limit::Scope;
use super::minute::{Answer, Request, Usage};
use super::settings;
use super::stored::load;
use crate::codeverify::shared_memory::slots::{Key, Value};
use crate::codeverify::shared_memory::table::Table;

/// A key's present minute and the one before it that it was used in.
pub static BUCKETS: Table<Bucket> = Table::new(settings::keys);

#[repr(C)]
pub struct Bucket {
    present: AtomicU64,
    earlier: AtomicU64,
    org_high: AtomicU64,
    org_low: AtomicU64,
    /// How often somebody has said, since that was last looked up, that the key may be gone.
    doubts: AtomicU64,
}

// SAFETY: atomic numbers.
unsafe impl Value for Bucket {
    fn clear(&self) {
        for number in [
            &self.present,
            &self.earlier,
            &self.org_high,
            &self.org_low,
            &self.doubts,
        ] {
            number.store(0, Ordering::Relaxed);
        }
    }
}

impl Bucket {
    /// The present minute and the one before.
    pub fn usages(&self) -> [Usage; 2] {
        [&self.present, &self.earlier].map(|packed| Usage::unpack(packed.load(Ordering::Relaxed)))
    }

    fn set_org_id(&self, org_id: Uuid) {
        let (high, low) = org_id.as_u64_pair();
        self.org_high.store(high, Ordering::Relaxed);
        self.org_low.store(low, Ordering::Relaxed);
    }

    fn org_id(&self) -> Uuid {
        Uuid::from_u64_pair(
            self.org_high.load(Ordering::Relaxed),
            self.org_low.load(Ordering::Relaxed),
        )
    }

    /// Begins a minute that has had `count` uses. Nobody else is using the bucket.
    fn begin(&self, minute: u32, count: u32) {
        let present = self.present.load(Ordering::Relaxed);
        let usage = Usage::unpack(present);
        if !usage.takes(minute) {
            if usage.minute != 0 {
                self.earlier.store(present, Ordering::Relaxed);
            }
            self.present
                .store(Usage { minute, count }.pack(), Ordering::Relaxed);
        }
    }

    fn doubts(&self) -> u64 {
        self.doubts.load(Ordering::SeqCst)
    }

    /// Notes that the key was there when so many doubts had been raised; others may have come since.
    fn allay(&self, doubts: u64) {
        let _ = self
            .doubts
            .compare_exchange(doubts, 0, Ordering::SeqCst, Ordering::SeqCst);
    }

    /// None where another minute than the bucket's has begun, or the key may be gone.
    fn charge(&self, minute: u32, request: Request, scope: Scope) -> Option<Answer> {
        if self.doubts() != 0 {
            return None;
        }
        if !scope.covers(self.org_id()) {
            return Some(Answer::refused(0, minute));
        }
        let mut present = self.present.load(Ordering::Relaxed);
        loop {
            let usage = Usage::unpack(present);
            if !usage.takes(minute) {
                return None;
            }
            let Some(count) = request.charge(usage.count) else {
                return Some(Answer::refused(
                    request.remaining(usage.count),
                    usage.minute,
                ));
            };
            let next = Usage { count, ..usage };
            match self.present.compare_exchange_weak(
                present,
                next.pack(),
                Ordering::Relaxed,
                Ordering::Relaxed,
            ) {
                Ok(_) => return Some(Answer::allowed(request.remaining(count), usage.minute)),
                Err(now) => present = now,
            }
        }
    }
}

/// A key of the session's database.
pub fn slot_key(id: Uuid) -> Key {
    Key {
        // SAFETY: a number that the session got when it connected.
        database: unsafe { pg_sys::MyDatabaseId }.to_u32(),
        id: id.as_u128(),
    }
}

/// Has it looked up again whether a key is there, before it is used the next time.
pub fn doubt(key: Key) {
    BUCKETS.invalidate(key, |bucket| {
        bucket.doubts.fetch_add(1, Ordering::SeqCst);
    });
}

/// Counts uses; None where memory has no room.
pub fn charge(api_key_id: Uuid, minute: u32, request: Request, scope: Scope) -> Option<Answer> {
    let key = slot_key(api_key_id);
    // A key's slot can be taken from it while its count is being loaded: then that is done again, but not for ever.
    for _ in 0..4 {
        let evictions = BUCKETS.evictions();
        let mut doubts = 0;
        let present = BUCKETS.with(key, |bucket| {
            doubts = bucket.doubts();
            let answer = bucket.charge(minute, request, scope);
            if answer.is_some_and(|answer| answer.allowed) {
                bucket.changed();
            }
            answer
        });
        if let Some(Some(answer)) = present {
            return Some(answer);
        }
        let stored = load(api_key_id, minute).filter(|stored| scope.covers(stored.org_id));
        let Some(stored) = stored else {
            return Some(Answer::refused(0, minute));
        };
        let has_slot = BUCKETS.with_or_insert_since(
            key,
            evictions,
            |fresh| fresh.set_org_id(stored.org_id),
            |bucket| {
                bucket.begin(minute, stored.count);
                bucket.allay(doubts);
            },
        );
        if has_slot.is_err() {
            return None;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORG: Uuid = Uuid::from_u128(7);

    fn bucket() -> Bucket {
        let bucket = Bucket {
            present: AtomicU64::new(0),
            earlier: AtomicU64::new(0),
            org_high: AtomicU64::new(0),
            org_low: AtomicU64::new(0),
            doubts: AtomicU64::new(0),
        };
        bucket.set_org_id(ORG);
        bucket
    }

    fn ask(bucket: &Bucket, minute: u32, max: u32, cost: u32) -> Option<(bool, u32)> {
        bucket
            .charge(minute, Request { max, cost }, Scope::Organization(ORG))
            .map(|answer| (answer.allowed, answer.remaining))
    }

    #[test]
    fn a_minute_has_to_be_begun() {
        let bucket = bucket();
        assert_eq!(ask(&bucket, 50, 10, 1), None);
        bucket.begin(50, 4);
        assert_eq!(ask(&bucket, 50, 10, 1), Some((true, 5)));
        bucket.begin(50, 0);
        assert_eq!(ask(&bucket, 50, 10, 5), Some((true, 0)), "begun once");
        assert_eq!(ask(&bucket, 50, 10, 1), Some((false, 0)));
        assert_eq!(ask(&bucket, 51, 10, 1), None);
        bucket.begin(51, 0);
        assert_eq!(ask(&bucket, 51, 10, 11), Some((false, 10)));
        assert_eq!(
            ask(&bucket, 50, 10, 1),
            Some((true, 9)),
            "a late one counts in the minute after"
        );
        let usages = bucket.usages().map(|usage| (usage.minute, usage.count));
        assert_eq!(usages, [(51, 1), (50, 10)]);
    }

    #[test]
    fn nothing_is_counted_while_there_is_doubt() {
        let bucket = bucket();
        bucket.begin(50, 4);
        bucket.doubts.fetch_add(1, Ordering::SeqCst);
        assert_eq!(ask(&bucket, 50, 10, 1), None);
        let seen = bucket.doubts();
        bucket.doubts.fetch_add(1, Ordering::SeqCst);
        bucket.allay(seen);
        assert_eq!(ask(&bucket, 50, 10, 1), None, "another came meanwhile");
        bucket.allay(bucket.doubts());
        assert_eq!(ask(&bucket, 50, 10, 1), Some((true, 5)), "nothing is lost");
    }

    #[test]
    fn another_organization_learns_nothing() {
        let bucket = bucket();
        bucket.begin(50, 4);
        let request = Request { max: 10, cost: 1 };
        for scope in [Scope::Organization(Uuid::from_u128(8)), Scope::None] {
            let answer = bucket.charge(50, request, scope);
            assert_eq!(answer, Some(Answer::refused(0, 50)));
        }
        assert_eq!(bucket.usages()[0].count, 4);
        let answer = bucket.charge(50, request, Scope::All);
        assert!(answer.is_some_and(|answer| answer.allowed));
    }

    #[test]
    fn threads_at_once_get_no_more_than_the_limit() {
        let bucket = bucket();
        bucket.begin(50, 0);
        let allowed: u32 = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| {
                    scope.spawn(|| {
                        (0..1000)
                            .filter(|_| ask(&bucket, 50, 2500, 1) != Some((false, 0)))
                            .count() as u32
                    })
                })
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().expect("no panic"))
                .sum()
        });
        assert_eq!(allowed, 2500);
    }
}
