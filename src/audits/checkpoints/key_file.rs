//! Reads the key that signs checkpoints from its file.

use std::path::Path;

use super::keys::{SignerKey, VerifierKey};
use crate::codeverify::key_file::{self, NO_KEY};

/// What the file has.
pub struct Keys {
    /// The first line.
    pub signer: SignerKey,
    /// Further lines: the verifier keys of notes that were signed before the key was changed.
    pub former: Vec<VerifierKey>,
}

impl Keys {
    /// All keys whose signatures are ours.
    pub fn verifiers(&self) -> Vec<VerifierKey> {
        let mut keys = self.former.clone();
        keys.push(self.signer.verifier());
        keys
    }
}

/// Reads the file at once, so that a new key is in force without a restart.
pub fn read(path: &Path) -> Result<Keys, &'static str> {
    parse(&key_file::read(path)?).ok_or(NO_KEY)
}

fn parse(content: &str) -> Option<Keys> {
    let mut lines = key_file::lines(content);
    Some(Keys {
        signer: SignerKey::parse(lines.next()?)?,
        former: lines.map(VerifierKey::parse).collect::<Option<_>>()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codeverify::key_file::tests::file;

    const PRIVATE: &str =
        "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
    const FORMER: &str = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";

    #[test]
    fn a_key_and_former_ones_are_read() {
        let keys = read(&file("one", format!("{PRIVATE}\n").as_bytes(), 0o400)).expect("a key");
        assert_eq!(keys.verifiers(), [keys.signer.verifier()]);
        let keys = read(&file(
            "two",
            format!("{PRIVATE}\n{FORMER}\n\n").as_bytes(),
            0o600,
        ))
        .expect("keys");
        assert_eq!(keys.former[0].format(), FORMER);
        assert_eq!(keys.verifiers().len(), 2);
    }

    #[test]
    fn anything_else_is_no_key() {
        for content in [
            "",
            FORMER,
            &format!("{PRIVATE}\nx"),
            &format!("{FORMER}\n{PRIVATE}"),
        ] {
            let read = read(&file("junk", content.as_bytes(), 0o600));
            assert_eq!(read.err(), Some(NO_KEY), "{content}");
        }
    }

    #[test]
    fn a_file_that_others_can_read_is_refused() {
        let read = read(&file("shared", PRIVATE.as_bytes(), 0o640));
        assert_eq!(read.err(), Some("others than its owner have access to it"));
    }
}
