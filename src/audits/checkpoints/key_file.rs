//! Reads the key that signs checkpoints from its file.

use std::fs::{metadata, File};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use zeroize::Zeroizing;

use super::keys::{SignerKey, VerifierKey};

/// A key file is a line or a few; a larger file is something else, and is not read.
const MOST_BYTES: usize = 16 * 1024;

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

/// Reads the file at once, so that a new key is in force without a restart. The problem, if there is one,
/// says nothing of what the file holds or where it is.
pub fn read(path: &Path) -> Result<Keys, &'static str> {
    let describe = |error: std::io::Error| match error.kind() {
        ErrorKind::NotFound => "it does not exist",
        ErrorKind::PermissionDenied => "the server may not read it",
        _ => "it cannot be read",
    };
    // Before it is opened: a pipe would keep the server waiting.
    if !metadata(path).map_err(describe)?.is_file() {
        return Err("it is not a regular file");
    }
    let file = File::open(path).map_err(describe)?;
    let opened = file.metadata().map_err(describe)?;
    if !opened.is_file() {
        return Err("it is not a regular file");
    }
    if opened.permissions().mode() & 0o077 != 0 {
        return Err("others than its owner have access to it");
    }
    // All of the room at once: growing would leave copies of the key behind.
    let mut content = Zeroizing::new(Vec::with_capacity(MOST_BYTES + 1));
    file.take(MOST_BYTES as u64 + 1)
        .read_to_end(&mut content)
        .map_err(describe)?;
    if content.len() > MOST_BYTES {
        return Err("it is too large");
    }
    std::str::from_utf8(&content)
        .ok()
        .and_then(parse)
        .ok_or("its content is not a key")
}

fn parse(content: &str) -> Option<Keys> {
    let mut lines = content
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty());
    Some(Keys {
        signer: SignerKey::parse(lines.next()?)?,
        former: lines.map(VerifierKey::parse).collect::<Option<_>>()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{create_dir_all, set_permissions, write, Permissions};
    use std::path::PathBuf;

    const PRIVATE: &str =
        "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
    const FORMER: &str = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";

    fn file(name: &str, content: &[u8], mode: u32) -> PathBuf {
        let folder =
            std::env::temp_dir().join(format!("codeverify-key-file-{}", std::process::id()));
        create_dir_all(&folder).expect("a folder");
        let path = folder.join(name);
        let _ = std::fs::remove_file(&path);
        write(&path, content).expect("a file");
        set_permissions(&path, Permissions::from_mode(mode)).expect("permissions");
        path
    }

    fn problem(path: &Path) -> Option<&'static str> {
        read(path).err()
    }

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
    fn what_others_can_read_is_refused() {
        for mode in [0o604, 0o640, 0o620, 0o601, 0o644] {
            let path = file("open", PRIVATE.as_bytes(), mode);
            assert_eq!(
                problem(&path),
                Some("others than its owner have access to it"),
                "{mode:o}"
            );
        }
    }

    #[test]
    fn problems_are_told_without_the_content() {
        let path = file("gone", b"", 0o600);
        assert_eq!(problem(&path), Some("its content is not a key"));
        std::fs::remove_file(&path).expect("a file");
        assert_eq!(problem(&path), Some("it does not exist"));
        assert_eq!(problem(Path::new("/")), Some("it is not a regular file"));
        assert_eq!(
            problem(Path::new("/dev/zero")),
            Some("it is not a regular file")
        );
        for content in [
            &b"\xff"[..],
            FORMER.as_bytes(),
            format!("{PRIVATE}\nx").as_bytes(),
        ] {
            assert_eq!(
                problem(&file("junk", content, 0o600)),
                Some("its content is not a key")
            );
        }
        let large = file("large", &vec![b' '; MOST_BYTES + 1], 0o600);
        assert_eq!(problem(&large), Some("it is too large"));
    }
}
