//! What signatures are verified with.

use std::str::FromStr;

use jsonwebtoken::crypto::rust_crypto::DEFAULT_PROVIDER;
use jsonwebtoken::DecodingKey;

/// RFC 7518, 3.2: at least as long as the hash.
const MIN_SECRET: usize = 32;
const MAX_SECRET: usize = 1024;
const MIN_RSA_BITS: usize = 2048;
const MAX_RSA_BITS: usize = 4096;
/// An RSA key of 4096 bits takes about 800 characters.
const MAX_PEM: usize = 2048;
const PEM: &str = "-----BEGIN ";

/// How a key signs. A key is for one algorithm, so that its issuer's other ones, `none` and what an attacker
/// would like it to be cannot be asked for by a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    Hs256,
    Rs256,
    EdDsa,
}

impl Algorithm {
    pub const ALL: [Algorithm; 3] = [Algorithm::Hs256, Algorithm::Rs256, Algorithm::EdDsa];

    /// As tokens and auth.jwt_keys spell it.
    pub fn name(self) -> &'static str {
        match self {
            Algorithm::Hs256 => "HS256",
            Algorithm::Rs256 => "RS256",
            Algorithm::EdDsa => "EdDSA",
        }
    }

    fn of_crate(self) -> jsonwebtoken::Algorithm {
        match self {
            Algorithm::Hs256 => jsonwebtoken::Algorithm::HS256,
            Algorithm::Rs256 => jsonwebtoken::Algorithm::RS256,
            Algorithm::EdDsa => jsonwebtoken::Algorithm::EdDSA,
        }
    }
}

impl FromStr for Algorithm {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        Algorithm::ALL
            .into_iter()
            .find(|algorithm| algorithm.name() == name)
            .ok_or(())
    }
}

/// A key that was found fit for its algorithm.
#[derive(Debug)]
pub struct Key {
    algorithm: Algorithm,
    decoding: DecodingKey,
}

impl Key {
    /// The secret that an issuer of HS256 shares with us.
    pub fn shared(secret: &[u8]) -> Result<Key, &'static str> {
        if secret.len() < MIN_SECRET {
            return Err("a shared secret has at least 32 bytes");
        }
        if secret.len() > MAX_SECRET {
            return Err("a shared secret has at most 1024 bytes");
        }
        if secret
            .windows(PEM.len())
            .any(|window| window == PEM.as_bytes())
        {
            return Err(
                "that is a key of another algorithm, which others know, and no shared secret",
            );
        }
        Ok(Key {
            algorithm: Algorithm::Hs256,
            decoding: DecodingKey::from_secret(secret),
        })
    }

    /// The public key of an issuer of RS256 or EdDSA.
    pub fn public(algorithm: Algorithm, pem: &str) -> Result<Key, &'static str> {
        const UNREADABLE: &str = "that is no public key in PEM form";
        let pem = pem.trim();
        let is_public = pem.starts_with("-----BEGIN PUBLIC KEY-----")
            || pem.starts_with("-----BEGIN RSA PUBLIC KEY-----");
        if pem.len() > MAX_PEM || !is_public {
            return Err(UNREADABLE);
        }
        let decoding = match algorithm {
            Algorithm::Rs256 => {
                let decoding = DecodingKey::from_rsa_pem(pem.as_bytes());
                decoding.map_err(|_| "that is no RSA key in PEM form")?
            }
            Algorithm::EdDsa => {
                let decoding = DecodingKey::from_ed_pem(pem.as_bytes());
                decoding.map_err(|_| "that is no Ed25519 key in PEM form")?
            }
            Algorithm::Hs256 => return Err(UNREADABLE),
        };
        let content = decoding.try_get_as_bytes().map_err(|_| UNREADABLE)?;
        match algorithm {
            Algorithm::Rs256 => check_rsa(content)?,
            _ => check_ed25519(content)?,
        }
        Ok(Key {
            algorithm,
            decoding,
        })
    }

    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Whether this key signed the message.
    pub fn verify(&self, message: &[u8], signature: &Vec<u8>) -> bool {
        (DEFAULT_PROVIDER.verifier_factory)(&self.algorithm.of_crate(), &self.decoding)
            .is_ok_and(|verifier| verifier.verify(message, signature).is_ok())
    }
}

fn check_rsa(content: &[u8]) -> Result<(), &'static str> {
    let components = DEFAULT_PROVIDER
        .key_utils
        .rsa_pub_components_from_public_key;
    let (modulus, exponent) =
        components(content).map_err(|_| "that is no RSA key that can be used")?;
    let bits = bit_length(&modulus);
    if bits < MIN_RSA_BITS {
        return Err("an RSA key has at least 2048 bits");
    }
    // Whatever such a key would take to verify, every token would take.
    if bits > MAX_RSA_BITS || bit_length(&exponent) > 32 {
        return Err("an RSA key has at most 4096 bits, and an exponent of at most 32");
    }
    // With 1, every message is its own signature.
    if bit_length(&exponent) < 2 {
        return Err("that is no RSA key that can be used");
    }
    Ok(())
}

fn bit_length(big_endian: &[u8]) -> usize {
    let zeros: usize = big_endian.iter().take_while(|byte| **byte == 0).count();
    big_endian.get(zeros).map_or(0, |first| {
        8 * (big_endian.len() - zeros) - first.leading_zeros() as usize
    })
}

fn check_ed25519(content: &[u8]) -> Result<(), &'static str> {
    const UNUSABLE: &str = "that is no Ed25519 key that can be used";
    let point = <&[u8; 32]>::try_from(content).map_err(|_| UNUSABLE)?;
    let key = ed25519_dalek::VerifyingKey::from_bytes(point).map_err(|_| UNUSABLE)?;
    // With a key of small order anybody can make signatures.
    if key.is_weak() {
        return Err(UNUSABLE);
    }
    Ok(())
}
