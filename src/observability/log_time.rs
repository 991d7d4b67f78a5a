//! Times as log lines have them: ISO 8601 in the profile of RFC 3339, the offset optional.

const MICROS: i64 = 1_000_000;

/// Microseconds since 1970, UTC; None for what is not a date and a time of day that exist.
///
/// As PostgreSQL reads it where both do: a `60` in the seconds begins the next minute, and a fraction is rounded.
pub fn parse(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    let year = digits(bytes, 0, 4)?;
    expect(bytes, 4, b"-")?;
    let month = digits(bytes, 5, 2)?;
    expect(bytes, 7, b"-")?;
    let day = digits(bytes, 8, 2)?;
    expect(bytes, 10, b"Tt ")?;
    let hour = digits(bytes, 11, 2)?;
    expect(bytes, 13, b":")?;
    let minute = digits(bytes, 14, 2)?;
    expect(bytes, 16, b":")?;
    let second = digits(bytes, 17, 2)?;
    if year == 0
        || !(1..=12).contains(&month)
        || !(1..=days_of_month(year, month)).contains(&day)
        || hour > 23
        || minute > 59
        || second > 60
    {
        return None;
    }
    let (fraction, rest) = fraction(bytes.get(19..)?)?;
    let offset = offset(rest)?;
    let seconds =
        days_since_1970(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second - offset;
    Some(seconds * MICROS + fraction)
}

/// The number that stands at a place.
fn digits(bytes: &[u8], from: usize, count: usize) -> Option<i64> {
    bytes
        .get(from..from + count)?
        .iter()
        .try_fold(0, |number, byte| {
            byte.is_ascii_digit()
                .then(|| number * 10 + i64::from(byte - b'0'))
        })
}

fn expect(bytes: &[u8], place: usize, allowed: &[u8]) -> Option<()> {
    allowed.contains(bytes.get(place)?).then_some(())
}

/// Microseconds of `.123`, and what follows. There may be none.
fn fraction(bytes: &[u8]) -> Option<(i64, &[u8])> {
    let Some((b'.' | b',', rest)) = bytes.split_first() else {
        return Some((0, bytes));
    };
    let count = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if count == 0 {
        return None;
    }
    let (fraction, rest) = rest.split_at(count);
    let digit = |place: usize| fraction.get(place).map_or(0, |byte| i64::from(byte - b'0'));
    let micros = (0..6).fold(0, |number, place| number * 10 + digit(place));
    Some((micros + i64::from(digit(6) >= 5), rest))
}

/// Seconds east of Greenwich of `Z`, `+01:00`, `+0100`, `+01` or nothing.
fn offset(bytes: &[u8]) -> Option<i64> {
    let (sign, rest) = match bytes.split_first() {
        None => return Some(0),
        Some((b'Z' | b'z', [])) => return Some(0),
        Some((b'+', rest)) => (1, rest),
        Some((b'-', rest)) => (-1, rest),
        Some(_) => return None,
    };
    let hours = digits(rest, 0, 2)?;
    let minutes = match &rest[2..] {
        [] => 0,
        [b':', minutes @ ..] | minutes if minutes.len() == 2 => digits(minutes, 0, 2)?,
        _ => return None,
    };
    (hours <= 15 && minutes <= 59).then_some(sign * (hours * 3_600 + minutes * 60))
}

fn is_leap_year(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_of_month(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap_year(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Of the proleptic Gregorian calendar, for years from 1 on.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    // Years that begin in March have the leap day at their end.
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let before_month = (153 * month + 2) / 5;
    let before_year = 365 * year + year / 4 - year / 100 + year / 400;
    before_year + before_month + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// 2026-01-31T00:00:00Z.
    const DAY: i64 = 1_769_817_600 * MICROS;

    #[test]
    fn the_usual_forms() {
        assert_eq!(parse("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(parse("2026-01-31T00:00:00Z"), Some(DAY));
        assert_eq!(parse("2026-01-31 00:00:00"), Some(DAY));
        assert_eq!(parse("2026-01-31t00:00:00z"), Some(DAY));
        assert_eq!(parse("2026-01-31T01:00:00+01:00"), Some(DAY));
        assert_eq!(parse("2026-01-31T01:00:00+0100"), Some(DAY));
        assert_eq!(parse("2026-01-31T01:00:00+01"), Some(DAY));
        assert_eq!(parse("2026-01-30T18:30:00-05:30"), Some(DAY));
        assert_eq!(parse("2026-01-31T00:00:00.5Z"), Some(DAY + 500_000));
        assert_eq!(parse("2026-01-31T00:00:00,123456789Z"), Some(DAY + 123_457));
        assert_eq!(parse("2026-01-31T00:00:00.9999999Z"), Some(DAY + MICROS));
        assert_eq!(parse("2026-01-30T23:59:60Z"), Some(DAY));
        assert_eq!(parse("2024-02-29T00:00:00Z"), Some(1_709_164_800 * MICROS));
        assert_eq!(
            parse("0001-01-01T00:00:00Z"),
            Some(-62_135_596_800 * MICROS)
        );
        assert_eq!(
            parse("9999-12-31T23:59:59Z"),
            Some(253_402_300_799 * MICROS)
        );
    }

    #[test]
    fn what_is_no_time() {
        for text in [
            "",
            "now",
            "infinity",
            "-infinity",
            "1769817600",
            "2026-01-31",
            "2026-01-31T00:00",
            "2026-01-31T00:00:00.Z",
            "2026-01-31T00:00:00 UTC",
            "2026-01-31T00:00:00+",
            "2026-01-31T00:00:00+1",
            "2026-01-31T00:00:00+01:",
            "2026-01-31T00:00:00+01:0",
            "2026-01-31T00:00:00+01:60",
            "2026-01-31T00:00:00+16:00",
            "2026-01-31T00:00:00Z ",
            " 2026-01-31T00:00:00Z",
            "2026-01-32T00:00:00Z",
            "2026-00-01T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-02-29T00:00:00Z",
            "2100-02-29T00:00:00Z",
            "2026-01-00T00:00:00Z",
            "0000-01-01T00:00:00Z",
            "2026-01-31T24:00:00Z",
            "2026-01-31T00:60:00Z",
            "2026-01-31T00:00:61Z",
            "20260131T000000Z",
            "２０２６-01-31T00:00:00Z",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic(text in "\\PC*") {
            let _ = parse(&text);
        }

        #[test]
        fn near_misses_are_read_without_panic(text in "[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9:.,Zz+é-]{0,24}") {
            let _ = parse(&text);
        }

        /// Each day follows the one before it, through every month and leap year.
        #[test]
        fn days_are_counted_without_a_gap(year in 1_i64..9999, month in 1_i64..13) {
            let last = days_of_month(year, month);
            let (next_year, next_month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
            for day in 1..last {
                prop_assert_eq!(days_since_1970(year, month, day) + 1, days_since_1970(year, month, day + 1));
            }
            prop_assert_eq!(
                days_since_1970(year, month, last) + 1,
                days_since_1970(next_year, next_month, 1)
            );
        }

        #[test]
        fn what_is_written_is_read(
            (hour, minute, second, micros) in (0_i64..24, 0_i64..60, 0_i64..60, 0_i64..MICROS),
            (offset_hours, offset_minutes) in (-15_i64..16, 0_i64..60),
        ) {
            let sign = if offset_hours < 0 { '-' } else { '+' };
            let text = format!(
                "2026-01-31T{hour:02}:{minute:02}:{second:02}.{micros:06}{sign}{:02}:{offset_minutes:02}",
                offset_hours.abs()
            );
            let offset = offset_hours.abs() * 3_600 + offset_minutes * 60;
            let offset = if offset_hours < 0 { -offset } else { offset };
            let expected = DAY + (hour * 3_600 + minute * 60 + second - offset) * MICROS + micros;
            prop_assert_eq!(parse(&text), Some(expected));
        }
    }
}
