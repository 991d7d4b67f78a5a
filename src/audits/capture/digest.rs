//! What stands in an entry for a secret: a keyed digest, equal for equal contents of one column.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Bytes of the key.
pub const KEY_BYTES: usize = 32;

/// Digests under one key. Without the key, not even a guess can be checked against a digest.
#[derive(Clone)]
pub struct Redactor(Hmac<Sha256>);

impl Redactor {
    /// None for a key that is empty.
    pub fn new(key: &[u8]) -> Option<Redactor> {
        if key.is_empty() {
            return None;
        }
        Hmac::new_from_slice(key).ok().map(Redactor)
    }

    /// `hmac-sha256:` and 64 hex digits. Table and column are mixed in, so that equal secrets in two
    /// columns do not show; no identifier contains the byte 0 that separates them.
    pub fn digest(&self, table: &str, column: &str, content: &[u8]) -> String {
        let mut mac = self.0.clone();
        for part in [table.as_bytes(), &[0], column.as_bytes(), &[0], content] {
            mac.update(part);
        }
        format!("hmac-sha256:{}", hex::encode(mac.finalize().into_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redactor() -> Redactor {
        Redactor::new(&[7; KEY_BYTES]).expect("a key")
    }

    #[test]
    fn equal_contents_of_a_column_are_equal_and_nothing_else_is() {
        let digest = redactor().digest("auth.users", "password_hash", b"secret");
        assert_eq!(
            digest,
            redactor().digest("auth.users", "password_hash", b"secret")
        );
        for other in [
            redactor().digest("auth.users", "password_hash", b"Secret"),
            redactor().digest("auth.users", "totp_secret", b"secret"),
            redactor().digest("auth.people", "password_hash", b"secret"),
            redactor().digest("auth.users", "password_has", b"hsecret"),
            Redactor::new(&[8; KEY_BYTES]).expect("a key").digest(
                "auth.users",
                "password_hash",
                b"secret",
            ),
        ] {
            assert_ne!(digest, other);
        }
    }

    #[test]
    fn it_is_hmac_sha256() {
        // HMAC-SHA256 of the bytes "t", 0, "c", 0, "x" under 32 bytes of 7, by Python's hmac.
        assert_eq!(
            redactor().digest("t", "c", b"x"),
            "hmac-sha256:374bc78d73b8b1bdfa8cd6c52f479acad386657bfe9cceb54e5518863e31f655"
        );
    }

    #[test]
    fn there_is_no_digest_without_a_key() {
        assert!(Redactor::new(&[]).is_none());
    }
}
