//! Keys of C2SP signed notes: Ed25519, written as text with their name and a short id.

use base64::prelude::{Engine, BASE64_STANDARD};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// The type of Ed25519 keys and signatures.
const ED25519: u8 = 1;

const PRIVATE_PREFIX: &str = "PRIVATE+KEY+";

/// Tells keys of one name apart.
pub type KeyId = [u8; 4];

/// A key that verifies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    id: KeyId,
    key: VerifyingKey,
}

/// A key that signs. Its secret is wiped from memory when it goes.
pub struct SignerKey {
    name: String,
    id: KeyId,
    key: SigningKey,
}

/// Whether a key may have this name.
pub fn is_key_name(name: &str) -> bool {
    !name.is_empty()
        && !name
            .chars()
            .any(|c| c == '+' || c.is_whitespace() || c.is_control())
}

impl VerifierKey {
    fn new(name: &str, key: VerifyingKey) -> VerifierKey {
        VerifierKey {
            name: name.to_owned(),
            id: key_id(name, &key),
            key,
        }
    }

    /// Reads `<name>+<id>+<key>`.
    pub fn parse(text: &str) -> Option<VerifierKey> {
        let (name, id, encoded) = split(text)?;
        let bytes = BASE64_STANDARD.decode(encoded).ok()?;
        let (ED25519, key) = bytes.split_first().map(|(kind, key)| (*kind, key))? else {
            return None;
        };
        let key = VerifyingKey::from_bytes(key.try_into().ok()?).ok()?;
        // A key of small order accepts signatures of many texts.
        if key.is_weak() {
            return None;
        }
        let key = VerifierKey::new(name, key);
        (key.id == id).then_some(key)
    }

    /// As [`VerifierKey::parse`] reads it.
    pub fn format(&self) -> String {
        let mut bytes = vec![ED25519];
        bytes.extend(self.key.as_bytes());
        format!(
            "{}+{}+{}",
            self.name,
            hex::encode(self.id),
            BASE64_STANDARD.encode(bytes)
        )
    }

    /// Whether a signature line with this name and id is said to be by this key.
    pub fn is(&self, name: &str, id: KeyId) -> bool {
        self.name == name && self.id == id
    }

    /// Whether the signature is this key's, of this text.
    pub fn verifies(&self, text: &str, signature: &[u8]) -> bool {
        Signature::from_slice(signature)
            .is_ok_and(|signature| self.key.verify_strict(text.as_bytes(), &signature).is_ok())
    }
}

impl SignerKey {
    /// A key from its secret.
    pub fn from_seed(name: &str, seed: &[u8; 32]) -> Option<SignerKey> {
        let key = SigningKey::from_bytes(seed);
        is_key_name(name).then(|| SignerKey {
            name: name.to_owned(),
            id: key_id(name, &key.verifying_key()),
            key,
        })
    }

    /// Reads `PRIVATE+KEY+<name>+<id>+<key>`.
    pub fn parse(text: &str) -> Option<SignerKey> {
        let (name, id, encoded) = split(text.strip_prefix(PRIVATE_PREFIX)?)?;
        let bytes = Zeroizing::new(BASE64_STANDARD.decode(encoded).ok()?);
        let (ED25519, seed) = bytes.split_first().map(|(kind, seed)| (*kind, seed))? else {
            return None;
        };
        let key = SignerKey::from_seed(name, seed.try_into().ok()?)?;
        (key.id == id).then_some(key)
    }

    /// As [`SignerKey::parse`] reads it.
    pub fn format(&self) -> Zeroizing<String> {
        let mut bytes = Zeroizing::new([0u8; 33]);
        bytes[0] = ED25519;
        bytes[1..].copy_from_slice(self.key.as_bytes());
        let encoded = Zeroizing::new(BASE64_STANDARD.encode(&bytes[..]));
        Zeroizing::new(format!(
            "{PRIVATE_PREFIX}{}+{}+{}",
            self.name,
            hex::encode(self.id),
            *encoded
        ))
    }

    /// The key that verifies what this one signs.
    pub fn verifier(&self) -> VerifierKey {
        VerifierKey::new(&self.name, self.key.verifying_key())
    }

    /// The signature line of a note with this text.
    pub fn sign(&self, text: &str) -> String {
        let mut bytes = self.id.to_vec();
        bytes.extend(self.key.sign(text.as_bytes()).to_bytes());
        format!("\u{2014} {} {}\n", self.name, BASE64_STANDARD.encode(bytes))
    }
}

fn key_id(name: &str, key: &VerifyingKey) -> KeyId {
    let digest = Sha256::new()
        .chain_update(name)
        .chain_update([b'\n', ED25519])
        .chain_update(key.as_bytes())
        .finalize();
    [digest[0], digest[1], digest[2], digest[3]]
}

/// Name, id and encoded key; base64 has plus signs of its own, names have none.
fn split(text: &str) -> Option<(&str, KeyId, &str)> {
    let mut parts = text.splitn(3, '+');
    let (name, id, encoded) = (parts.next()?, parts.next()?, parts.next()?);
    let id: KeyId = hex::decode(id).ok()?.try_into().ok()?;
    is_key_name(name).then_some((name, id, encoded))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of golang.org/x/mod/sumdb/note.
    pub const PRIVATE: &str =
        "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
    pub const VERIFIER: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";

    #[test]
    fn keys_are_read_and_written() {
        let key = SignerKey::parse(PRIVATE).expect("a key");
        assert_eq!(*key.format(), PRIVATE);
        assert_eq!(key.verifier().format(), VERIFIER);
        assert_eq!(VerifierKey::parse(VERIFIER), Some(key.verifier()));
    }

    #[test]
    fn signatures_are_those_of_rfc_8032() {
        // Section 7.1: secret key, public key, message, signature.
        for (secret, public, message, signature) in [
            (
                "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
                "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
                "",
                "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
            ),
            (
                "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
                "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
                "72",
                "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
            ),
            (
                "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
                "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
                "af82",
                "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
            ),
        ] {
            let bytes = |digits| hex::decode(digits).expect("hex digits");
            let seed: [u8; 32] = bytes(secret).try_into().expect("a seed");
            let key = SignerKey::from_seed("rfc8032", &seed).expect("a key");
            assert_eq!(key.verifier().key.as_bytes()[..], bytes(public));
            assert_eq!(key.key.sign(&bytes(message)).to_bytes()[..], bytes(signature));
        }
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for text in [
            "",
            "PeterNeumann",
            "PeterNeumann+c74f20a3+",
            "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10T",
            "PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
            "Peter Neumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
            "Peterneumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
            "PeterNeumann+c74f20a3+AhpcmQcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
            PRIVATE,
        ] {
            assert_eq!(VerifierKey::parse(text), None, "{text}");
        }
        for text in [VERIFIER, "PRIVATE+KEY+", "PRIVATE+KEY+a+b+c"] {
            assert!(SignerKey::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn a_key_of_small_order_is_refused() {
        // The identity: it would verify whatever it is asked to.
        let key = VerifyingKey::from_bytes(&{
            let mut bytes = [0; 32];
            bytes[0] = 1;
            bytes
        })
        .expect("a point");
        let text = VerifierKey::new("weak", key).format();
        assert_eq!(VerifierKey::parse(&text), None);
    }

    #[test]
    fn names_have_no_spaces_pluses_or_controls() {
        assert!(is_key_name("example.org/ledger"));
        for name in ["", "a b", "a+b", "a\u{a0}b", "a\nb", "a\u{2003}", "\u{7f}"] {
            assert!(!is_key_name(name), "{name:?}");
        }
    }
}
