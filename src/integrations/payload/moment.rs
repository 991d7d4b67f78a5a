//! Times as RFC 3339 writes them.

/// Whether PostgreSQL takes the text as a timestamptz, whatever its settings are: a date and a time with an offset.
pub fn is_moment(text: &str) -> bool {
    read(text.as_bytes()).is_some()
}

fn read(text: &[u8]) -> Option<()> {
    let (date_and_time, rest) = text.split_at_checked(19)?;
    let [year @ .., b'-', _, _, b'-', _, _, b'T', _, _, b':', _, _, b':', _, _] = date_and_time
    else {
        return None;
    };
    let year = number(year)?;
    let field = |place: usize| number(&date_and_time[place..place + 2]);
    let (month, day) = (field(5)?, field(8)?);
    let is_date = year > 0 && (1..=12).contains(&month) && (1..=days(year, month)).contains(&day);
    let is_time = field(11)? < 24 && field(14)? < 60 && field(17)? < 60;
    (is_date && is_time).then_some(())?;
    read_offset(skip_fraction(rest)?)
}

/// At most nine digits: a longer one is no clock's.
fn skip_fraction(text: &[u8]) -> Option<&[u8]> {
    let Some(digits) = text.strip_prefix(b".") else {
        return Some(text);
    };
    let length = digits
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    (1..=9).contains(&length).then(|| &digits[length..])
}

fn read_offset(text: &[u8]) -> Option<()> {
    match text {
        [b'Z'] => Some(()),
        // PostgreSQL takes less than sixteen hours.
        [b'+' | b'-', h1, h2, b':', m1, m2] => {
            (number(&[*h1, *h2])? < 16 && number(&[*m1, *m2])? < 60).then_some(())
        }
        _ => None,
    }
}

fn number(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0_u32, |number, byte| {
        byte.is_ascii_digit()
            .then(|| number * 10 + u32::from(byte - b'0'))
    })
}

fn days(year: u32, month: u32) -> u32 {
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if is_leap => 29,
        2 => 28,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn moments() {
        for text in [
            "2019-05-15T15:20:33Z",
            "2019-05-15T15:20:33.123Z",
            "2019-05-15T17:20:33+02:00",
            "2019-05-15T03:20:33.000000001-12:00",
            "2000-02-29T00:00:00Z",
            "2024-02-29T23:59:59+15:59",
            "0001-01-01T00:00:00Z",
            "9999-12-31T23:59:59Z",
        ] {
            assert!(is_moment(text), "{text}");
        }
        for text in [
            "",
            "now",
            "infinity",
            "2019-05-15",
            "2019-05-15T15:20:33",
            "2019-05-15 15:20:33Z",
            "2019-05-15T15:20:33z",
            "2019-05-15T15:20:33.Z",
            "2019-05-15T15:20:33.1234567890Z",
            "2019-05-15T15:20:60Z",
            "2019-05-15T24:00:00Z",
            "2019-02-29T00:00:00Z",
            "1900-02-29T00:00:00Z",
            "2019-13-01T00:00:00Z",
            "2019-00-01T00:00:00Z",
            "2019-01-00T00:00:00Z",
            "2019-04-31T00:00:00Z",
            "0000-01-01T00:00:00Z",
            "+019-05-15T15:20:33Z",
            "10000-01-01T00:00:00Z",
            "2019-05-15T15:20:33+16:00",
            "2019-05-15T15:20:33+02:60",
            "2019-05-15T15:20:33+0200",
            "2019-05-15T15:20:33Z ",
            "２019-05-15T15:20:33Z",
        ] {
            assert!(!is_moment(text), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "[0-9TZ:+.\\-é]{0,40}") {
            let _ = is_moment(&text);
        }
    }
}
