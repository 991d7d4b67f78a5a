//! Arithmetic of rate limits: minutes, and what one still takes. Times are microseconds since 2000, as the server
//! counts them.

const MINUTE: i64 = 60_000_000;

/// The number of a UTC minute, from 2000 on. 0 is never the present one.
pub fn minute_of(time: i64) -> u32 {
    u32::try_from(time / MINUTE).unwrap_or(0)
}

/// When a minute begins.
pub fn start_of(minute: u32) -> i64 {
    i64::from(minute) * MINUTE
}

/// When a minute has ended, and counting begins anew.
pub fn end_of(minute: u32) -> i64 {
    start_of(minute) + MINUTE
}

/// How often a key was used in a minute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    pub minute: u32,
    pub count: u32,
}

impl Usage {
    /// As one number, which changes at once.
    pub fn pack(self) -> u64 {
        u64::from(self.minute) << 32 | u64::from(self.count)
    }

    pub fn unpack(packed: u64) -> Usage {
        Usage {
            minute: (packed >> 32) as u32,
            count: packed as u32,
        }
    }

    /// Whether uses at `minute` are to be counted here. Sessions read the clock one after another, so one that read
    /// it before the minute ended may come when another has begun the next; its use belongs there.
    pub fn takes(self, minute: u32) -> bool {
        self.minute == minute || (self.minute == minute.wrapping_add(1) && self.minute != 0)
    }
}

/// What is asked for: `cost` uses, if a minute has not more than `max` with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    pub max: u32,
    pub cost: u32,
}

impl Request {
    /// The count with these uses, if they may be made.
    pub fn charge(self, count: u32) -> Option<u32> {
        count
            .checked_add(self.cost)
            .filter(|total| *total <= self.max)
    }

    pub fn remaining(self, count: u32) -> u32 {
        self.max.saturating_sub(count)
    }
}

/// What a caller is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    pub allowed: bool,
    pub remaining: u32,
    pub reset_at: i64,
}

impl Answer {
    pub fn refused(remaining: u32, minute: u32) -> Answer {
        Answer {
            allowed: false,
            remaining,
            reset_at: end_of(minute),
        }
    }

    pub fn allowed(remaining: u32, minute: u32) -> Answer {
        Answer {
            allowed: true,
            remaining,
            reset_at: end_of(minute),
        }
    }
}

/// Most uses that a session takes at a time, and keeps for itself until the minute ends, but for a call that costs more.
const LEASE: u32 = 50;

/// How many uses to take when `needed` are lacking and the minute has `remaining` ones left. Of a small limit a
/// session takes little more than it needs, so that it leaves something to others.
pub fn lease_size(needed: u32, remaining: u32) -> u32 {
    needed.max((remaining / 8).min(LEASE))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn minutes_are_those_of_the_clock() {
        // 2026-01-01 00:00:59.999999 and a microsecond later.
        let new_year = 820_540_800_000_000;
        let minute = minute_of(new_year);
        assert_eq!(start_of(minute), new_year);
        assert_eq!(minute_of(new_year + 59_999_999), minute);
        assert_eq!(minute_of(new_year + 60_000_000), minute + 1);
        assert_eq!(end_of(minute), new_year + 60_000_000);
        assert_eq!(minute_of(-1), 0);
        assert_eq!(minute_of(i64::MAX), 0);
    }

    #[test]
    fn a_late_use_counts_in_the_minute_that_has_begun() {
        let usage = Usage {
            minute: 100,
            count: 1,
        };
        assert!(usage.takes(100));
        assert!(usage.takes(99));
        assert!(!usage.takes(101), "the next minute begins anew");
        assert!(!usage.takes(98), "the clock was set back");
        assert!(!Usage::default().takes(100));
        assert!(!Usage::default().takes(u32::MAX));
    }

    #[test]
    fn what_is_too_much_takes_nothing() {
        let ask = |max, cost, count| Request { max, cost }.charge(count);
        assert_eq!(ask(10, 1, 0), Some(1));
        assert_eq!(ask(10, 1, 9), Some(10));
        assert_eq!(ask(10, 1, 10), None);
        assert_eq!(ask(10, 3, 8), None);
        assert_eq!(ask(10, 2, 8), Some(10));
        assert_eq!(ask(0, 1, 0), None);
        assert_eq!(ask(5, 1, 9), None, "a limit that was lowered");
        assert_eq!(ask(u32::MAX, u32::MAX, 1), None, "no overflow");
        assert_eq!(Request { max: 5, cost: 1 }.remaining(9), 0);
    }

    #[test]
    fn leases_leave_something() {
        assert_eq!(lease_size(1, 10_000), 50);
        assert_eq!(lease_size(1, 80), 10);
        assert_eq!(lease_size(1, 3), 1);
        assert_eq!(lease_size(70, 10_000), 70);
    }

    proptest! {
        #[test]
        fn usages_are_packed_without_loss(minute: u32, count: u32) {
            let usage = Usage { minute, count };
            prop_assert_eq!(Usage::unpack(usage.pack()), usage);
        }

        #[test]
        fn a_minute_never_has_more_than_its_limit(max in 0u32..200, costs in prop::collection::vec(1u32..40, 0..60)) {
            let mut count = 0;
            let mut taken = 0;
            for cost in costs {
                let request = Request { max, cost };
                match request.charge(count) {
                    Some(total) => {
                        taken += cost;
                        count = total;
                    }
                    None => prop_assert!(cost > request.remaining(count)),
                }
                prop_assert_eq!(count, taken);
                prop_assert!(count <= max);
            }
        }
    }
}
