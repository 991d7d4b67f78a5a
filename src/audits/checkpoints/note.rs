//! C2SP signed notes: a text, and lines with signatures of it.

use base64::prelude::{Engine, BASE64_STANDARD};

use super::keys::{KeyId, SignerKey, VerifierKey};

/// More signatures than this are no note of ours.
const MOST_SIGNATURES: usize = 100;

/// A note that has been taken apart; its signatures are not verified yet.
#[derive(Debug, PartialEq, Eq)]
pub struct Note<'a> {
    /// What is signed, with the newline at its end.
    pub text: &'a str,
    pub signatures: Vec<SignatureLine<'a>>,
}

/// One of the lines below the text.
#[derive(Debug, PartialEq, Eq)]
pub struct SignatureLine<'a> {
    name: &'a str,
    id: KeyId,
    signature: Vec<u8>,
}

/// What a note's signatures are worth to somebody who knows some keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Signed by a known key.
    Valid,
    /// A line says that it is a known key's, and is not.
    Forged,
    /// No line is a known key's.
    Unknown,
}

/// A text, which ends in a newline, as a note; without a key there is no signature line below the blank line.
pub fn make(text: &str, key: Option<&SignerKey>) -> String {
    let line = key.map(|key| key.sign(text)).unwrap_or_default();
    format!("{text}\n{line}")
}

impl<'a> Note<'a> {
    /// Takes a note apart. The newline at its very end may be missing: shells take it away. None when it is
    /// not formed as notes are.
    pub fn parse(note: &'a str) -> Option<Note<'a>> {
        if note.chars().any(|c| c < ' ' && c != '\n') {
            return None;
        }
        let end = note.rfind("\n\n")?;
        let (text, lines) = (&note[..=end], &note[end + 2..]);
        let signatures = lines
            .strip_suffix('\n')
            .unwrap_or(lines)
            .split('\n')
            .filter(|_| !lines.is_empty())
            .map(SignatureLine::parse)
            .collect::<Option<Vec<_>>>()?;
        (end > 0 && signatures.len() <= MOST_SIGNATURES).then_some(Note { text, signatures })
    }

    /// Looks at the signatures that are by known keys. One that is wrong spoils the note.
    pub fn verify(&self, known: &[VerifierKey]) -> Verdict {
        let mut verdict = Verdict::Unknown;
        for line in &self.signatures {
            for key in known.iter().filter(|key| key.is(line.name, line.id)) {
                if !key.verifies(self.text, &line.signature) {
                    return Verdict::Forged;
                }
                verdict = Verdict::Valid;
            }
        }
        verdict
    }
}

impl<'a> SignatureLine<'a> {
    fn parse(line: &'a str) -> Option<SignatureLine<'a>> {
        let (name, encoded) = line.strip_prefix("\u{2014} ")?.split_once(' ')?;
        let bytes = BASE64_STANDARD.decode(encoded).ok()?;
        let (id, signature) = bytes.split_first_chunk::<4>()?;
        (super::keys::is_key_name(name) && !signature.is_empty()).then(|| SignatureLine {
            name,
            id: *id,
            signature: signature.to_vec(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRIVATE: &str =
        "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
    const NOTE: &str = "If you think cryptography is the answer to your problem,\n\
        then you don't know what your problem is.\n\
        \n\
        \u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
    const C2SP_KEY: &str = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
    const C2SP_NOTE: &str = "This is an example message.\n\n\u{2014} example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";

    fn verdict(note: &str, keys: &[VerifierKey]) -> Option<Verdict> {
        Some(Note::parse(note)?.verify(keys))
    }

    fn signer() -> SignerKey {
        SignerKey::parse(PRIVATE).expect("a key")
    }

    #[test]
    fn the_published_note_is_signed_the_same() {
        let text = Note::parse(NOTE).expect("a note").text;
        assert_eq!(make(text, Some(&signer())), NOTE);
        assert_eq!(verdict(NOTE, &[signer().verifier()]), Some(Verdict::Valid));
    }

    #[test]
    fn the_example_of_the_specification_verifies() {
        let key = VerifierKey::parse(C2SP_KEY).expect("a key");
        assert_eq!(
            verdict(C2SP_NOTE, std::slice::from_ref(&key)),
            Some(Verdict::Valid)
        );
        assert_eq!(
            verdict(C2SP_NOTE.trim_end(), std::slice::from_ref(&key)),
            Some(Verdict::Valid)
        );
        assert_eq!(verdict(NOTE, &[key]), Some(Verdict::Unknown));
    }

    #[test]
    fn a_changed_text_or_signature_spoils_it() {
        let keys = [signer().verifier()];
        for (from, to) in [
            ("answer", "Answer"),
            ("is.\n", "is.\n\n"),
            ("x08go/Z", "x08go/a"),
            ("nAM=", "nAI="),
        ] {
            let changed = NOTE.replacen(from, to, 1);
            assert_eq!(verdict(&changed, &keys), Some(Verdict::Forged), "{from}");
        }
        // Another key's, by name and id.
        assert_eq!(
            verdict(&NOTE.replace("PeterNeumann", "Peter"), &keys),
            Some(Verdict::Unknown)
        );
        // A second line does not make good a bad one, nor the other way round.
        let second = NOTE.replacen("x08go/Z", "x08go/a", 1);
        let second = second.lines().last().expect("a line");
        assert_eq!(
            verdict(&format!("{NOTE}{second}\n"), &keys),
            Some(Verdict::Forged)
        );
        assert_eq!(
            verdict(
                &format!("{NOTE}{}\n", C2SP_NOTE.lines().last().expect("a line")),
                &keys
            ),
            Some(Verdict::Valid)
        );
    }

    #[test]
    fn what_is_no_note_is_refused() {
        for note in [
            "",
            "\n",
            "\n\n",
            "text",
            "text\n",
            "text\n\nno signature\n",
            "text\n\n\u{2014} name\n",
            "text\n\n\u{2014} name !\n",
            "text\n\n\u{2014} name AAAA\n",
            "text\n\n\u{2014} na+me AAAAAAA=\n",
            "text\r\n\n\u{2014} name AAAAAAA=\n",
            "text\n\n- name AAAAAAA=\n",
        ] {
            assert_eq!(Note::parse(note), None, "{note:?}");
        }
        let line = "\u{2014} name AAAAAAA=\n";
        assert!(Note::parse(&format!("text\n\n{}", line.repeat(16))).is_some());
        assert!(Note::parse(&format!("text\n\n{}", line.repeat(101))).is_none());
    }

    #[test]
    fn without_a_key_there_is_no_line() {
        let note = make("a\n0\nb\n", None);
        assert_eq!(note, "a\n0\nb\n\n");
        assert_eq!(
            Note::parse(&note).map(|note| (note.text, note.signatures.len())),
            Some(("a\n0\nb\n", 0))
        );
    }
}
