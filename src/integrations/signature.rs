//! Signatures as GitHub makes them (X-Hub-Signature-256): `sha256=` and HMAC-SHA-256 of the body in hexadecimal.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

const MARK: &str = "sha256=";

/// A signature that has the right form.
pub struct Signature([u8; 32]);

impl Signature {
    /// None for what cannot be one. The time it takes depends on what the sender knows anyway.
    pub fn parse(text: &str) -> Option<Signature> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text.strip_prefix(MARK)?, &mut bytes).ok()?;
        Some(Signature(bytes))
    }

    /// Whether it was made of this body with this secret, compared in constant time.
    pub fn is_of(&self, body: &[u8], secret: &[u8]) -> bool {
        Hmac::<Sha256>::new_from_slice(secret)
            .is_ok_and(|hmac| hmac.chain_update(body).verify_slice(&self.0).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// From GitHub's documentation, "Validating webhook deliveries".
    const SECRET: &[u8] = b"It's a Secret to Everybody";
    const BODY: &[u8] = b"Hello, World!";
    const SIGNATURE: &str =
        "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";

    #[test]
    fn githubs_own_example() {
        let signature = Signature::parse(SIGNATURE).expect("a signature");
        assert!(signature.is_of(BODY, SECRET));
        assert!(!signature.is_of(b"Hello, World", SECRET));
        assert!(!signature.is_of(b"", SECRET));
        assert!(!signature.is_of(BODY, b"It's a secret to everybody"));
        assert!(!signature.is_of(BODY, b""));
    }

    #[test]
    fn what_is_no_signature() {
        let digits = SIGNATURE.strip_prefix(MARK).expect("the mark");
        for text in [
            "",
            "sha256=",
            digits,
            &format!("sha1={digits}"),
            &format!("SHA256={digits}"),
            &format!(" {SIGNATURE}"),
            &format!("{SIGNATURE} "),
            &format!("{SIGNATURE}00"),
            &SIGNATURE[..SIGNATURE.len() - 1],
            &SIGNATURE[..SIGNATURE.len() - 2],
            &SIGNATURE.replace('7', "g"),
            &format!("{SIGNATURE},{SIGNATURE}"),
        ] {
            assert!(Signature::parse(text).is_none(), "{text}");
        }
    }

    fn sign(body: &[u8], secret: &[u8]) -> [u8; 32] {
        Hmac::<Sha256>::new_from_slice(secret)
            .expect("a key of any length")
            .chain_update(body)
            .finalize()
            .into_bytes()
            .into()
    }

    proptest! {
        #[test]
        fn one_bit_decides(
            body in prop::collection::vec(any::<u8>(), 1..200),
            secret in prop::collection::vec(any::<u8>(), 16..80),
            place in any::<prop::sample::Index>(),
            bit in 0..8,
        ) {
            let made = sign(&body, &secret);
            let text = format!("sha256={}", hex::encode(made));
            let signature = Signature::parse(&text).expect("a signature");
            prop_assert!(signature.is_of(&body, &secret));
            let mut other = made;
            other[place.index(32)] ^= 1_u8 << bit;
            prop_assert!(!Signature(other).is_of(&body, &secret));
            let mut changed = body.clone();
            changed[place.index(body.len())] ^= 1_u8 << bit;
            prop_assert!(!signature.is_of(&changed, &secret));
        }

        #[test]
        fn any_text_is_read(text in "\\PC*") {
            let _ = Signature::parse(&text);
        }
    }
}
