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

/// The time of a new entry that comes to its turn when the partition that it was sent to has ended: when it was made,
/// or right after the lane's last entry. None for a time that no default has given in this statement.
pub fn choose_earlier(given: i64, clock: i64, statement_start: i64, last: i64) -> Option<i64> {
    (statement_start..=clock)
        .contains(&given)
        .then(|| given.max(last.saturating_add(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn what_waited_keeps_the_time_that_it_was_made() {
        assert_eq!(choose_earlier(100, 500, 90, 50), Some(100));
        assert_eq!(choose_earlier(100, 500, 90, 100), Some(101));
        assert_eq!(choose_earlier(100, 500, 100, 400), Some(401));
    }

    #[test]
    fn a_time_of_somebodys_choice_is_none() {
        assert_eq!(choose_earlier(100, 500, 101, 50), None);
        assert_eq!(choose_earlier(501, 500, 90, 50), None);
    }
}
