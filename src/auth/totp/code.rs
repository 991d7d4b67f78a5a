//! One-time passwords from a shared seed and the time (RFC 6238): SHA-1, six digits, steps of 30 seconds, which is
//! what every authenticator app takes for granted.

use totp_rs::{Builder, Totp};
use zeroize::Zeroizing;

/// RFC 4226 recommends 160 bits.
pub const SEED_BYTES: usize = 20;
const STEP_SECONDS: u64 = 30;
/// How far the clock of a phone may be off.
const SKEW_STEPS: i64 = 1;
const DIGITS: usize = 6;

/// A shared secret, wiped when it is dropped.
pub struct Seed(Totp);

impl Seed {
    /// None for one that is too short.
    pub fn new(bytes: &[u8]) -> Option<Seed> {
        builder(bytes).build().ok().map(Seed)
    }

    /// The time step whose code this is: the present one, or the one before or after it, unless it is not after the
    /// last one that was accepted.
    pub fn find_step(&self, code: &str, now: i64, last: Option<i64>) -> Option<i64> {
        let digits = digits(code)?;
        let present = now.div_euclid(STEP_SECONDS as i64);
        // All of them, so that the time it takes does not tell which one it was.
        let mut found = None;
        for step in present - SKEW_STEPS..=present + SKEW_STEPS {
            let Ok(counter) = u64::try_from(step) else {
                continue;
            };
            let fits = self.is_code_of(counter, &digits);
            let is_new = last.is_none_or(|last| step > last);
            if fits && is_new && found.is_none() {
                found = Some(step);
            }
        }
        found
    }

    fn is_code_of(&self, counter: u64, digits: &str) -> bool {
        let time = counter.saturating_mul(STEP_SECONDS);
        let code = Zeroizing::new(self.0.generate(time).to_string());
        let differences = code
            .bytes()
            .zip(digits.bytes())
            .fold(0, |all, (one, other)| all | (one ^ other));
        code.len() == digits.len() && differences == 0
    }

    /// What a person types into an app that cannot read the QR code.
    pub fn base32(&self) -> Zeroizing<String> {
        Zeroizing::new(self.0.secret().to_base32())
    }
}

/// What the QR code holds. A colon would end the issuer, so that neither of the two can have one.
pub fn otpauth_uri(bytes: &[u8], issuer: Option<&str>, account: &str) -> Option<Zeroizing<String>> {
    let without_colons = |text: &str| text.replace(':', "_");
    builder(bytes)
        .with_issuer(issuer.map(without_colons))
        .with_account_name(without_colons(account))
        .build()
        .ok()?
        .to_url()
        .ok()
        .map(Zeroizing::new)
}

fn builder(bytes: &[u8]) -> Builder {
    Builder::new()
        .with_secret(bytes.to_vec())
        .with_digits(DIGITS as u8)
        .with_step_duration(STEP_SECONDS)
}

/// The digits of a code as people type it, with spaces in it; None for what is no such code.
fn digits(code: &str) -> Option<Zeroizing<String>> {
    // Room for what counts, and a look at no more than that.
    let mut digits = Zeroizing::new(String::with_capacity(DIGITS));
    for character in code.chars().take(4 * DIGITS + 1) {
        match character {
            '0'..='9' if digits.len() < DIGITS => digits.push(character),
            ' ' | '\u{a0}' => {}
            _ => return None,
        }
    }
    (digits.len() == DIGITS && code.chars().count() <= 4 * DIGITS).then_some(digits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SEED: &[u8] = b"12345678901234567890";

    fn seed() -> Seed {
        Seed::new(SEED).expect("a seed")
    }

    fn code(step: u64) -> String {
        seed().0.generate(step * STEP_SECONDS).to_string()
    }

    #[test]
    fn the_examples_of_rfc_4226() {
        let expected = [
            "755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583",
            "399871", "520489",
        ];
        for (count, expected) in expected.into_iter().enumerate() {
            assert_eq!(code(count as u64), expected, "{count}");
        }
    }

    #[test]
    fn the_examples_of_rfc_6238() {
        // Its codes have eight digits, of which ours are the last six.
        for (time, expected) in [
            (59, "94287082"),
            (1_111_111_109, "07081804"),
            (1_111_111_111, "14050471"),
            (1_234_567_890, "89005924"),
            (2_000_000_000, "69279037"),
            (20_000_000_000, "65353130"),
        ] {
            let step = seed().find_step(&expected[2..], time, None);
            assert_eq!(step, Some(time / 30), "{time}");
        }
    }

    #[test]
    fn a_code_is_good_one_step_before_and_after() {
        for (now, good) in [
            (1019, false),
            (1020, true),
            (1050, true),
            (1109, true),
            (1110, false),
            (0, false),
            (-1, false),
            (i64::MIN, false),
            (i64::MAX, false),
        ] {
            // Step 35 is from second 1050 to 1079.
            let step = seed().find_step(&code(35), now, None);
            assert_eq!(step, good.then_some(35), "{now}");
        }
    }

    #[test]
    fn a_step_is_accepted_once_and_none_before_it() {
        for (last, found) in [(33, Some(34)), (34, None), (35, None)] {
            assert_eq!(
                seed().find_step(&code(34), 35 * 30, Some(last)),
                found,
                "{last}"
            );
        }
    }

    #[test]
    fn spaces_are_as_good_as_none() {
        let code = code(35);
        let spaced = format!(" {} {}\u{a0}", &code[..3], &code[3..]);
        assert_eq!(seed().find_step(&spaced, 35 * 30, None), Some(35));
        for text in [
            "",
            "12345",
            "1234567",
            "12345a",
            "１２３４５６",
            "-12345",
            "+12345",
        ] {
            assert_eq!(digits(text), None, "{text}");
        }
        assert_eq!(digits(&format!("{code}{}", " ".repeat(100))), None);
    }

    #[test]
    fn the_uri_names_issuer_and_account() {
        let uri = otpauth_uri(SEED, Some("Code: Verify"), "a:b+c@example.org").expect("a URI");
        assert_eq!(
            *uri,
            "otpauth://totp/Code_%20Verify:a_b%2Bc%40example.org?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Code_%20Verify"
        );
        let uri = otpauth_uri(SEED, None, "ada").expect("a URI");
        assert_eq!(
            *uri,
            "otpauth://totp/ada?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
        );
        assert_eq!(*seed().base32(), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
    }

    #[test]
    fn a_short_seed_is_none() {
        assert!(Seed::new(&SEED[..15]).is_none());
        assert!(otpauth_uri(SEED, None, "").is_none());
    }

    proptest! {
        #[test]
        fn any_code_is_read_without_panic(code in ".{0,40}", now: i64, last: Option<i64>) {
            seed().find_step(&code, now, last);
        }
    }
}
