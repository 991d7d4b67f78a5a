//! AES-256-GCM.

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use zeroize::Zeroizing;

/// Bytes of a nonce.
pub const NONCE: usize = 12;
/// Bytes of the tag that ends a ciphertext.
pub const TAG: usize = 16;

/// A key of 256 bits, wiped when it is dropped.
pub struct Key(Zeroizing<[u8; 32]>);

impl Key {
    /// None unless there are 32 bytes.
    pub fn from_bytes(bytes: &[u8]) -> Option<Key> {
        let mut key = Zeroizing::new([0; 32]);
        if bytes.len() != key.len() {
            return None;
        }
        key.copy_from_slice(bytes);
        Some(Key(key))
    }

    /// The ciphertext and its tag; None when there is too much to encrypt. A nonce must never come twice.
    pub fn encrypt(
        &self,
        nonce: [u8; NONCE],
        plaintext: &[u8],
        associated: &[u8],
    ) -> Option<Vec<u8>> {
        let payload = Payload {
            msg: plaintext,
            aad: associated,
        };
        self.cipher().encrypt(&Nonce::from(nonce), payload).ok()
    }

    /// What was encrypted; None when key, nonce, ciphertext or associated data are not those of then.
    pub fn decrypt(
        &self,
        nonce: [u8; NONCE],
        ciphertext: &[u8],
        associated: &[u8],
    ) -> Option<Zeroizing<Vec<u8>>> {
        let payload = Payload {
            msg: ciphertext,
            aad: associated,
        };
        self.cipher()
            .decrypt(&Nonce::from(nonce), payload)
            .map(Zeroizing::new)
            .ok()
    }

    fn cipher(&self) -> Aes256Gcm {
        Aes256Gcm::new(&aes_gcm::Key::<Aes256Gcm>::from(*self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes<const N: usize>(text: &str) -> [u8; N] {
        hex::decode(text)
            .expect("hexadecimal")
            .try_into()
            .expect("the length")
    }

    /// Test case 16 of McGrew and Viega, "The Galois/Counter Mode of Operation", appendix B.
    #[test]
    fn the_designers_own_example() {
        let key: [u8; 32] =
            bytes("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308");
        let nonce = bytes("cafebabefacedbaddecaf888");
        let plaintext: [u8; 60] = bytes(
            "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72\
             1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
        );
        let associated: [u8; 20] = bytes("feedfacedeadbeeffeedfacedeadbeefabaddad2");
        let expected: [u8; 76] = bytes(
            "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa\
             8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f66276fc6ece0f4e1768cddf8853bb2d551b",
        );
        let key = Key::from_bytes(&key).expect("a key");
        let ciphertext = key
            .encrypt(nonce, &plaintext, &associated)
            .expect("a ciphertext");
        assert_eq!(ciphertext, expected);
        assert_eq!(
            key.decrypt(nonce, &ciphertext, &associated)
                .expect("the plaintext")[..],
            plaintext
        );
        assert!(key.decrypt(nonce, &ciphertext, b"").is_none());
        assert!(key.decrypt([0; NONCE], &ciphertext, &associated).is_none());
    }

    #[test]
    fn a_key_has_32_bytes() {
        for length in [0, 16, 31, 33] {
            assert!(Key::from_bytes(&vec![0; length]).is_none(), "{length}");
        }
    }
}
