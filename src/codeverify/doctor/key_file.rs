//! Files with keys: whether they can be used, and whether they are where they should be.

use std::fs::canonicalize;
use std::path::Path;

use crate::audits::checkpoints::key_file;
use crate::codeverify::encryption::keys;

/// A setting that names a key file, and how a fault of it is told.
pub struct KeyFile {
    setting: &'static str,
    unset: &'static str,
    unusable: &'static str,
    inside: &'static str,
    problem: fn(&Path) -> Option<&'static str>,
}

/// The key that signs checkpoints.
pub const SIGNING: KeyFile = KeyFile {
    setting: "codeverify.ledger_key_file",
    unset: "checkpoints are unsigned",
    unusable: "no checkpoints are made",
    inside: "the key of checkpoints",
    problem: |path| key_file::read(path).err(),
};

/// The keys of secrets at rest.
pub const ENCRYPTION: KeyFile = KeyFile {
    setting: "codeverify.encryption_key_file",
    unset: "there can be no second factors and no shared secrets",
    unusable: "users with a second factor cannot log in",
    inside: "the key of secrets at rest",
    problem: |path| keys::read(path).err(),
};

/// What is wrong with a key file, as doctor() says it: never where it is, or what is in it.
pub fn find_fault(file: &KeyFile, path: Option<&Path>, data_directory: &Path) -> Option<String> {
    let setting = file.setting;
    let Some(path) = path else {
        return Some(format!("{setting} is not set: {}", file.unset));
    };
    if let Some(problem) = (file.problem)(path) {
        return Some(format!(
            "the file that {setting} names cannot be used, {problem}: {}",
            file.unusable
        ));
    }
    let is_inside = || {
        let directory = canonicalize(data_directory).ok()?;
        Some(canonicalize(path).ok()?.starts_with(directory))
    };
    is_inside().unwrap_or(false).then(|| {
        format!(
            "{} is inside the data directory: who copies the one has the other",
            file.inside
        )
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
            find_fault(&SIGNING, Some(path), &self.0.join("data")).unwrap_or_default()
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
        let unset = find_fault(&SIGNING, None, &scratch.0).unwrap_or_default();
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

    #[test]
    fn each_file_holds_its_own_kind_of_key() {
        let scratch = Scratch::new("kind");
        let signing = scratch.file("signing", 0o600);
        let fault = find_fault(&ENCRYPTION, Some(&signing), &scratch.0).unwrap_or_default();
        assert!(fault.contains("its content is not a key"), "{fault}");
        let encryption = scratch.0.join("encryption");
        write(&encryption, format!("k:{}=", "A".repeat(43))).expect("a file");
        set_permissions(&encryption, Permissions::from_mode(0o600)).expect("its mode");
        let data = scratch.0.join("data");
        assert_eq!(find_fault(&ENCRYPTION, Some(&encryption), &data), None);
        assert!(find_fault(&SIGNING, Some(&encryption), &data).is_some());
    }
}
