//! The file with the key of checkpoints: whether checkpoints can be signed with it, and whether it is where it should be.

use std::fs::canonicalize;
use std::path::Path;

use crate::audits::checkpoints::key_file::read;

/// What is wrong with the key file, as doctor() says it: never where it is, or what is in it.
pub fn find_fault(path: Option<&Path>, data_directory: &Path) -> Option<String> {
    let Some(path) = path else {
        return Some("codeverify.ledger_key_file is not set: checkpoints are unsigned".into());
    };
    if let Err(problem) = read(path) {
        return Some(format!(
            "the file that codeverify.ledger_key_file names cannot be used, {problem}: no checkpoints are made"
        ));
    }
    let is_inside = || {
        let directory = canonicalize(data_directory).ok()?;
        Some(canonicalize(path).ok()?.starts_with(directory))
    };
    is_inside().unwrap_or(false).then(|| {
        "the key of checkpoints is inside the data directory: who copies the one has the other"
            .into()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{create_dir_all, remove_dir_all, set_permissions, write, Permissions};
    use std::os::unix::fs::PermissionsExt;
    use std::path::PathBuf;

    const PRIVATE: &str =
        "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";

    /// A directory of the test's own, removed at its end.
    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str) -> Scratch {
            let name = format!("codeverify-doctor-{name}-{}", std::process::id());
            let path = std::env::temp_dir().join(name);
            create_dir_all(path.join("data")).expect("a directory");
            create_dir_all(path.join("data2")).expect("another");
            Scratch(path)
        }

        fn file(&self, name: &str, mode: u32) -> PathBuf {
            let path = self.0.join(name);
            write(&path, PRIVATE).expect("a file");
            set_permissions(&path, Permissions::from_mode(mode)).expect("its mode");
            path
        }

        fn fault(&self, path: &Path) -> String {
            find_fault(Some(path), &self.0.join("data")).unwrap_or_default()
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_private_key_elsewhere_is_fine() {
        let scratch = Scratch::new("fine");
        assert_eq!(scratch.fault(&scratch.file("key", 0o600)), "");
        let beside = scratch.file("data2/key", 0o400);
        assert_eq!(scratch.fault(&beside), "", "a name that begins alike");
    }

    #[test]
    fn a_key_must_be_there() {
        let scratch = Scratch::new("missing");
        let unset = find_fault(None, &scratch.0).unwrap_or_default();
        assert!(unset.contains("unsigned"), "{unset}");
        for (path, problem) in [
            (scratch.0.join("none"), "it does not exist"),
            (scratch.0.clone(), "it is not a regular file"),
            (scratch.file("open", 0o640), "others than its owner"),
        ] {
            let fault = scratch.fault(&path);
            assert!(fault.contains(problem), "{fault}");
            assert!(!fault.contains(&*scratch.0.to_string_lossy()), "{fault}");
        }
    }

    #[test]
    fn the_data_directory_is_no_place_for_it() {
        let scratch = Scratch::new("inside");
        let inside = scratch.file("data/key", 0o600);
        assert!(scratch.fault(&inside).contains("inside the data directory"));
        let link = scratch.0.join("link");
        std::os::unix::fs::symlink(&inside, &link).expect("a link");
        assert!(scratch.fault(&link).contains("inside"), "through a link");
    }
}
