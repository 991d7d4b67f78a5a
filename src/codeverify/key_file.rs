//! Reads files that hold keys.

use std::fs::{metadata, File};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use zeroize::Zeroizing;

/// A key file is a line or a few; a larger file is something else, and is not read.
const MOST_BYTES: usize = 16 * 1024;

/// What a file is told to be that can be read, but not as keys.
pub const NO_KEY: &str = "its content is not a key";

/// Reads the file at once, so that a new key is in force without a restart. The problem, if there is one,
/// says nothing of what the file holds or where it is.
pub fn read(path: &Path) -> Result<Zeroizing<String>, &'static str> {
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
    match String::from_utf8(std::mem::take(&mut *content)) {
        Ok(text) => Ok(Zeroizing::new(text)),
        Err(error) => {
            drop(Zeroizing::new(error.into_bytes()));
            Err(NO_KEY)
        }
    }
}

/// The lines of a key file that say something.
pub fn lines(content: &str) -> impl Iterator<Item = &str> {
    content
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use std::fs::{create_dir_all, set_permissions, write, Permissions};
    use std::path::PathBuf;

    /// A file of this content and mode, in a folder of the test run's own.
    pub fn file(name: &str, content: &[u8], mode: u32) -> PathBuf {
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
    fn a_private_file_is_read() {
        for mode in [0o400, 0o600, 0o700] {
            let content = read(&file("private", b" one\n\n two \n", mode)).expect("the content");
            assert_eq!(lines(&content).collect::<Vec<_>>(), ["one", "two"]);
        }
    }

    #[test]
    fn what_others_can_read_is_refused() {
        for mode in [0o604, 0o640, 0o620, 0o601, 0o644] {
            let path = file("open", b"key", mode);
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
        std::fs::remove_file(&path).expect("a file");
        assert_eq!(problem(&path), Some("it does not exist"));
        assert_eq!(problem(Path::new("/")), Some("it is not a regular file"));
        assert_eq!(
            problem(Path::new("/dev/zero")),
            Some("it is not a regular file")
        );
        assert_eq!(problem(&file("binary", b"\xff", 0o600)), Some(NO_KEY));
        let large = file("too-large", &vec![b' '; MOST_BYTES + 1], 0o600);
        assert_eq!(problem(&large), Some("it is too large"));
        let largest = file("largest", &vec![b' '; MOST_BYTES], 0o600);
        assert_eq!(problem(&largest), None);
    }
}
