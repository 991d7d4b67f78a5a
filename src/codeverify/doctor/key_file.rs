//! The file with the key of checkpoints: whether it is there, and who else could read it.

use std::fs::{canonicalize, metadata, File};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Permission bits of the group and of others.
const NOT_THE_OWNERS: u32 = 0o077;

/// What is wrong with the key file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    Unset,
    Missing,
    Unreadable,
    InDataDirectory,
    Exposed,
}

impl Fault {
    /// As doctor() says it.
    pub fn describe(self) -> &'static str {
        match self {
            Fault::Unset => "codeverify.ledger_key_file is not set: checkpoints are unsigned",
            Fault::Missing => "the file that codeverify.ledger_key_file names does not exist: checkpoints are unsigned",
            Fault::Unreadable => "the server may not read the file that codeverify.ledger_key_file names: checkpoints are unsigned",
            Fault::InDataDirectory => "the key of checkpoints is inside the data directory: who copies one has the other",
            Fault::Exposed => "others than its owner may use the file with the key of checkpoints",
        }
    }
}

/// Looks at the file without reading the key.
pub fn examine(path: Option<&Path>, data_directory: &Path) -> Result<(), Fault> {
    let path = path.ok_or(Fault::Unset)?;
    let file = metadata(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Fault::Missing,
        _ => Fault::Unreadable,
    })?;
    if !file.is_file() || File::open(path).is_err() {
        return Err(Fault::Unreadable);
    }
    let is_inside = |path: &Path, directory: &Path| {
        Some(
            canonicalize(path)
                .ok()?
                .starts_with(canonicalize(directory).ok()?),
        )
    };
    if is_inside(path, data_directory).unwrap_or(false) {
        return Err(Fault::InDataDirectory);
    }
    if file.permissions().mode() & NOT_THE_OWNERS != 0 {
        return Err(Fault::Exposed);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{create_dir_all, remove_dir_all, set_permissions, write, Permissions};
    use std::path::PathBuf;

    /// A directory of the test's own, removed at its end.
    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str) -> Scratch {
            let path =
                std::env::temp_dir().join(format!("codeverify-{name}-{}", std::process::id()));
            create_dir_all(path.join("data")).expect("a directory");
            Scratch(path)
        }

        fn file(&self, name: &str, mode: u32) -> PathBuf {
            let path = self.0.join(name);
            write(&path, "key").expect("a file");
            set_permissions(&path, Permissions::from_mode(mode)).expect("its mode");
            path
        }

        fn examine(&self, path: &Path) -> Result<(), Fault> {
            examine(Some(path), &self.0.join("data"))
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_private_file_elsewhere_is_fine() {
        let scratch = Scratch::new("fine");
        assert_eq!(scratch.examine(&scratch.file("key", 0o600)), Ok(()));
        assert_eq!(scratch.examine(&scratch.file("read_only", 0o400)), Ok(()));
    }

    #[test]
    fn a_file_must_be_named_and_exist() {
        let scratch = Scratch::new("missing");
        assert_eq!(examine(None, &scratch.0), Err(Fault::Unset));
        assert_eq!(
            scratch.examine(&scratch.0.join("none")),
            Err(Fault::Missing)
        );
        assert_eq!(
            scratch.examine(&scratch.0),
            Err(Fault::Unreadable),
            "a directory"
        );
        let below_a_file = scratch.file("key", 0o600).join("key");
        assert_eq!(scratch.examine(&below_a_file), Err(Fault::Unreadable));
    }

    #[test]
    fn others_must_not_read_it() {
        let scratch = Scratch::new("exposed");
        for mode in [0o640, 0o604, 0o660, 0o610] {
            assert_eq!(
                scratch.examine(&scratch.file("key", mode)),
                Err(Fault::Exposed),
                "{mode:o}"
            );
        }
    }

    #[test]
    fn the_data_directory_is_no_place_for_it() {
        let scratch = Scratch::new("inside");
        let inside = scratch.file("data/key", 0o600);
        assert_eq!(scratch.examine(&inside), Err(Fault::InDataDirectory));
        let link = scratch.0.join("link");
        std::os::unix::fs::symlink(&inside, &link).expect("a link");
        assert_eq!(
            scratch.examine(&link),
            Err(Fault::InDataDirectory),
            "through a link"
        );
        let beside = scratch.0.join("data2");
        create_dir_all(&beside).expect("a directory");
        assert_eq!(
            scratch.examine(&scratch.file("data2/key", 0o600)),
            Ok(()),
            "a name that begins alike"
        );
    }
}
