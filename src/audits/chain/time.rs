//! When an entry was made.

const SECOND: i64 = 1_000_000;

/// The time of a new entry, in microseconds: what the column's default gave if that is fresh, otherwise
/// the clock's; later than the lane's last entry in any case, even after the clock was set back.
pub fn choose(given: i64, clock: i64, last: i64) -> i64 {
    if given > last && given <= clock && clock - given < SECOND {
        given
    } else {
        clock.max(last.saturating_add(1))
    }
}

/// Whether two times are in the same UTC month, and so in the same partition.
pub fn same_month(one: i64, other: i64) -> bool {
    let month = |microseconds: i64| {
        let days = microseconds.div_euclid(86_400 * SECOND);
        // Days to year and month: H. Hinnant, "chrono-compatible low-level date algorithms".
        let shifted = days + 719_468;
        let era = shifted.div_euclid(146_097);
        let day_of_era = shifted.rem_euclid(146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        (era, year_of_era, (5 * day_of_year + 2) / 153)
    };
    month(one) == month(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOVEMBER_30: i64 = 1_796_083_199_999_999; // 2026-11-30 23:59:59.999999 UTC

    #[test]
    fn a_fresh_default_stays() {
        assert_eq!(choose(100, 150, 99), 100);
    }

    #[test]
    fn a_stale_a_future_and_an_earlier_time_do_not() {
        assert_eq!(choose(100, 100 + SECOND, 0), 100 + SECOND);
        assert_eq!(choose(200, 150, 0), 150);
        assert_eq!(choose(100, 150, 100), 150);
    }

    #[test]
    fn time_goes_on_after_the_clock_went_back() {
        assert_eq!(choose(100, 150, 500), 501);
        assert_eq!(choose(100, 150, 150), 151);
    }

    #[test]
    fn months_are_utc() {
        assert!(same_month(NOVEMBER_30, NOVEMBER_30 - 29 * 86_400 * SECOND));
        assert!(!same_month(NOVEMBER_30, NOVEMBER_30 + 1));
        assert!(!same_month(NOVEMBER_30, NOVEMBER_30 - 30 * 86_400 * SECOND));
        assert!(same_month(0, 30 * 86_400 * SECOND));
        assert!(!same_month(-1, 0));
    }
}
