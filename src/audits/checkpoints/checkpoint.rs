//! C2SP tlog-checkpoint: the text of a note that says what a log is.

use base64::prelude::{Engine, BASE64_STANDARD};

use super::tree::Hash;

/// A tree's size and root, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    pub origin: String,
    pub tree_size: u64,
    pub root: Hash,
}

impl Checkpoint {
    /// The note's text.
    pub fn text(&self) -> String {
        let root = BASE64_STANDARD.encode(self.root);
        format!("{}\n{}\n{root}\n", self.origin, self.tree_size)
    }

    /// Reads a note's text. Lines that other logs add below are left aside.
    pub fn parse(text: &str) -> Option<Checkpoint> {
        let mut lines = text.strip_suffix('\n')?.split('\n');
        let (origin, size, root) = (lines.next()?, lines.next()?, lines.next()?);
        let is_decimal = !size.is_empty()
            && size.bytes().all(|byte| byte.is_ascii_digit())
            && (size == "0" || !size.starts_with('0'));
        if origin.is_empty() || !is_decimal || lines.any(str::is_empty) {
            return None;
        }
        let tree_size = size
            .parse()
            .ok()
            .filter(|size| i64::try_from(*size).is_ok())?;
        let root = BASE64_STANDARD.decode(root).ok()?.try_into().ok()?;
        Some(Checkpoint {
            origin: origin.to_owned(),
            tree_size,
            root,
        })
    }
}

/// Whether a log may have this name: one line without control characters.
pub fn is_origin(origin: &str) -> bool {
    !origin.is_empty() && !origin.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str =
        "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";

    #[test]
    fn the_example_of_the_specification_is_read_and_written() {
        let checkpoint = Checkpoint::parse(TEXT).expect("a checkpoint");
        assert_eq!(checkpoint.origin, "example.com/behind-the-sofa");
        assert_eq!(checkpoint.tree_size, 20_852_163);
        assert_eq!(checkpoint.text(), TEXT);
        assert_eq!(
            Checkpoint::parse(&format!("{TEXT}more\n")),
            Some(checkpoint)
        );
    }

    #[test]
    fn what_is_no_checkpoint_is_refused() {
        for (from, to) in [
            ("example.com/behind-the-sofa", ""),
            ("20852163", ""),
            ("20852163", "020852163"),
            ("20852163", "+20852163"),
            ("20852163", "-1"),
            ("20852163", "9223372036854775808"),
            ("20852163", "99999999999999999999999"),
            ("q2I=", "q2I"),
            ("CsUY", ""),
            ("q2I=\n", "q2I="),
            ("q2I=\n", "q2I=\n\nmore\n"),
        ] {
            assert_eq!(
                Checkpoint::parse(&TEXT.replace(from, to)),
                None,
                "{from} {to}"
            );
        }
        assert_eq!(Checkpoint::parse(""), None);
    }

    #[test]
    fn names_of_logs_are_one_line() {
        assert!(is_origin("codeverify/my db"));
        assert!(!is_origin(""));
        assert!(!is_origin("a\nb"));
    }
}
