//! Days, weeks and months in UTC, and which of them have no partition. Times are microseconds since 2000, as
//! PostgreSQL stores them.

const DAY: i64 = 86_400_000_000;
/// From 0000-03-01 to 2000-01-01: years that begin in March have their leap day at the end.
const DAYS_FROM_MARCH_OF_YEAR_ZERO: i64 = 730_425;
const DAYS_OF_400_YEARS: i64 = 146_097;

/// How long a partition is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Period {
    Day,
    /// From Monday.
    Week,
    Month,
}

/// A range of time: the first is within, the last is not.
pub type Range = (i64, i64);

impl Period {
    pub fn parse(name: &str) -> Option<Period> {
        match name {
            "day" => Some(Period::Day),
            "week" => Some(Period::Week),
            "month" => Some(Period::Month),
            _ => None,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Period::Day => "day",
            Period::Week => "week",
            Period::Month => "month",
        }
    }

    /// The period that a time is in. None where it is not wholly within the times that can be told.
    pub fn around(self, at: i64) -> Option<Range> {
        let day = at.div_euclid(DAY);
        let (first, last) = match self {
            Period::Day => (day, day + 1),
            Period::Week => {
                // 2000-01-01 was a Saturday.
                let first = (day + 5).div_euclid(7) * 7 - 5;
                (first, first + 7)
            }
            Period::Month => {
                let (year, month) = month_of(day);
                let (next_year, next_month) = if month == 12 {
                    (year + 1, 1)
                } else {
                    (year, month + 1)
                };
                (first_of(year, month), first_of(next_year, next_month))
            }
        };
        Some((first.checked_mul(DAY)?, last.checked_mul(DAY)?))
    }

    /// The end of the period that comes so many after the one that a time is in.
    fn end_after(self, at: i64, periods: u32) -> Option<i64> {
        let (_, mut end) = self.around(at)?;
        for _ in 0..periods {
            (_, end) = self.around(end)?;
        }
        Some(end)
    }
}

/// Year and month of a day since 2000-01-01.
fn month_of(day: i64) -> (i64, i64) {
    let day = day + DAYS_FROM_MARCH_OF_YEAR_ZERO;
    let era = day.div_euclid(DAYS_OF_400_YEARS);
    let day_of_era = day.rem_euclid(DAYS_OF_400_YEARS);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    (era * 400 + year_of_era + i64::from(month <= 2), month)
}

/// The first day of a month, in days since 2000-01-01.
fn first_of(year: i64, month: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let from_march = (month + 9) % 12;
    let year_of_era = year.rem_euclid(400);
    let day_of_era =
        year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + (153 * from_march + 2) / 5;
    year.div_euclid(400) * DAYS_OF_400_YEARS + day_of_era - DAYS_FROM_MARCH_OF_YEAR_ZERO
}

/// The part of a time's period that no partition has: as far as those beside it leave room. None when one has the
/// time itself. `partitions` are in order.
pub fn room_around(partitions: &[Range], period: Period, at: i64) -> Option<Range> {
    let (mut lower, mut upper) = period.around(at)?;
    for &(from, until) in partitions {
        if until <= at {
            lower = lower.max(until);
        } else if from <= at {
            return None;
        } else {
            upper = upper.min(from);
            break;
        }
    }
    Some((lower, upper))
}

/// What a set lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missing {
    /// The first time from the current period on for which there is no partition.
    pub ahead: Option<i64>,
    /// A time in the last period before the current one for which there is none, though there are older ones.
    pub behind: Option<i64>,
    /// Where the last period ends that is to be there by now.
    pub horizon: i64,
}

/// What is missing from a set that has `premake` periods after the current one ahead of time, and none before
/// `since`. None where time itself ends. `partitions` are in order.
pub fn find_missing(
    partitions: &[Range],
    period: Period,
    premake: u32,
    since: i64,
    now: i64,
) -> Option<Missing> {
    let (current, _) = period.around(now)?;
    let horizon = period.end_after(now, premake)?;
    let ahead = holes(partitions, current.max(since), horizon).next();
    let oldest = partitions.first().map_or(
        current,
        |&(from, until)| {
            if from == i64::MIN {
                until
            } else {
                from
            }
        },
    );
    let behind = holes(partitions, oldest.max(since), current).last();
    Some(Missing {
        ahead: ahead.map(|(from, _)| from),
        behind: behind.and_then(|(from, until)| Some(period.around(until - 1)?.0.max(from))),
        horizon,
    })
}

/// The ranges between two times that no partition has, in order.
fn holes(partitions: &[Range], from: i64, until: i64) -> impl Iterator<Item = Range> + '_ {
    let mut reached = from;
    partitions
        .iter()
        .copied()
        .chain([(until, until)])
        .filter_map(move |(lower, upper)| {
            let hole = (reached, lower.min(until));
            reached = reached.max(upper);
            (hole.0 < hole.1).then_some(hole)
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn day(number: i64) -> i64 {
        number * DAY
    }

    #[test]
    fn months_are_those_of_the_calendar() {
        // 2000 was a leap year.
        assert_eq!(Period::Month.around(0), Some((0, day(31))));
        assert_eq!(Period::Month.around(day(59)), Some((day(31), day(60))));
        assert_eq!(Period::Month.around(day(60)), Some((day(60), day(91))));
        assert_eq!(Period::Month.around(-1), Some((day(-31), 0)));
        // 2100 is none: February ends on the 28th.
        assert_eq!(first_of(2100, 3) - first_of(2100, 2), 28);
    }

    #[test]
    fn weeks_begin_on_monday() {
        // 2000-01-03.
        assert_eq!(Period::Week.around(day(2)), Some((day(2), day(9))));
        assert_eq!(Period::Week.around(day(2) - 1), Some((day(-5), day(2))));
    }

    #[test]
    fn time_has_ends() {
        for period in [Period::Day, Period::Week, Period::Month] {
            assert_eq!(period.around(i64::MAX), None);
            assert_eq!(period.around(i64::MIN), None);
        }
    }

    #[test]
    fn room_is_what_neighbours_leave() {
        let partitions = [(day(0), day(1)), (day(3), day(4))];
        assert_eq!(
            room_around(&partitions, Period::Month, day(2)),
            Some((day(1), day(3)))
        );
        assert_eq!(room_around(&partitions, Period::Month, day(3)), None);
        assert_eq!(
            room_around(&partitions, Period::Day, day(1)),
            Some((day(1), day(2)))
        );
        assert_eq!(
            room_around(&[(i64::MIN, i64::MAX)], Period::Day, day(1)),
            None
        );
    }

    #[test]
    fn gaps_are_filled_from_now_backwards() {
        let partitions = [(day(0), day(1)), (day(3), day(4)), (day(5), day(6))];
        let missing = find_missing(&partitions, Period::Day, 1, i64::MIN, day(5)).expect("a time");
        assert_eq!(
            missing,
            Missing {
                ahead: Some(day(6)),
                behind: Some(day(4)),
                horizon: day(7)
            }
        );
        let missing = find_missing(&partitions, Period::Day, 0, day(2), day(4)).expect("a time");
        assert_eq!(missing.ahead, Some(day(4)));
        assert_eq!(missing.behind, Some(day(2)));
        assert_eq!(
            find_missing(&[], Period::Day, 0, i64::MIN, day(4)),
            Some(Missing {
                ahead: Some(day(4)),
                behind: None,
                horizon: day(5)
            })
        );
    }

    fn any_period() -> impl Strategy<Value = Period> {
        prop_oneof![Just(Period::Day), Just(Period::Week), Just(Period::Month)]
    }

    proptest! {
        #[test]
        fn periods_have_their_times_and_meet(period in any_period(), at in -60_000_000_000_000_000..60_000_000_000_000_000_i64) {
            let (from, until) = period.around(at).expect("a time of some centuries");
            prop_assert!(from <= at && at < until);
            prop_assert_eq!(period.around(until - 1), Some((from, until)));
            prop_assert_eq!(period.around(until).expect("the next").0, until);
            prop_assert_eq!(from % DAY, 0);
        }

        #[test]
        fn filling_what_is_missing_ends_without_gaps(
            period in any_period(),
            now in 0..10_000_000_000_000_000_i64,
            premake in 0_u32..20,
            taken in prop::collection::vec((-40_i64..40, 1_i64..20), 0..5),
        ) {
            let mut partitions: Vec<Range> = Vec::new();
            for (from, days) in taken {
                let lower = now - now % DAY + day(from);
                let range = (lower, lower + day(days));
                if partitions.iter().all(|&(from, until)| range.1 <= from || until <= range.0) {
                    partitions.push(range);
                    partitions.sort_unstable();
                }
            }
            let horizon = loop {
                let missing = find_missing(&partitions, period, premake, i64::MIN, now).expect("a time");
                let Some(at) = missing.ahead.or(missing.behind) else {
                    break missing.horizon;
                };
                let room = room_around(&partitions, period, at).expect("room");
                prop_assert!(room.0 <= at && at < room.1);
                partitions.push(room);
                partitions.sort_unstable();
                prop_assert!(partitions.len() < 200);
            };
            prop_assert!(partitions.last().expect("one").1 >= horizon);
            // What somebody made beyond the horizon is met when its time is near.
            prop_assert!(partitions.windows(2).all(|two| two[0].1 == two[1].0 || two[0].1 >= horizon));
        }
    }
}
