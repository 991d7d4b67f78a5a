//! URI references and the paths they stand for.

/// Whether a reference begins with a scheme. One letter is no scheme but a Windows drive.
pub fn has_scheme(reference: &str) -> bool {
    split_scheme(reference).is_some_and(|(scheme, _)| scheme.len() > 1)
}

/// Whether a reference stands by itself, without a base.
pub fn is_absolute(reference: &str) -> bool {
    reference.starts_with('/') || has_scheme(reference) || is_drive(reference)
}

fn is_drive(path: &str) -> bool {
    let bytes = path.as_bytes();
    bytes.len() > 1 && bytes[0].is_ascii_alphabetic() && bytes[1] == b':'
}

/// The path a reference stands for: percent-decoded, without `./` and without the `..` that can
/// be resolved. `file:` becomes a plain path; a reference with another scheme stays as it is.
pub fn to_path(reference: &str) -> String {
    match file_path(reference) {
        Some(path) => clean(&decode(&path)),
        None if has_scheme(reference) => reference.to_owned(),
        None => clean(&decode(reference)),
    }
}

/// What follows `file:`, with `//host` kept and the slash before a drive letter dropped.
fn file_path(reference: &str) -> Option<String> {
    let scheme = reference.get(..5)?;
    if !scheme.eq_ignore_ascii_case("file:") {
        return None;
    }
    let rest = &reference[5..];
    let path = match rest.strip_prefix("//") {
        None => rest.to_owned(),
        Some(rest) => match rest.find('/') {
            Some(0) => rest.to_owned(),
            Some(slash) if rest[..slash].eq_ignore_ascii_case("localhost") => {
                rest[slash..].to_owned()
            }
            // file://C:/x, which some tools write, names a drive, not a host.
            _ if is_drive(rest) => rest.to_owned(),
            _ => format!("//{rest}"),
        },
    };
    match path.strip_prefix('/') {
        Some(bare) if is_drive(&decode(bare)) => Some(bare.to_owned()),
        _ => Some(path),
    }
}

/// Removes `.` segments and the pairs that `..` undoes. Nothing climbs above a root.
fn clean(path: &str) -> String {
    let special = |segment: &str| segment == "." || segment == "..";
    if !path.split('/').any(special) {
        return path.to_owned();
    }
    let rooted = path.starts_with('/');
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "." => {}
            ".." => match kept.last() {
                Some(&"") if kept.len() == 1 && rooted => {}
                Some(&last) if last != ".." => {
                    kept.pop();
                }
                _ => kept.push(segment),
            },
            _ => kept.push(segment),
        }
    }
    match kept.join("/") {
        joined if joined.is_empty() => if rooted { "/" } else { "." }.to_owned(),
        joined => joined,
    }
}

/// Percent-decodes what is UTF-8 then and has no U+0000; anything else stays as it is.
fn decode(text: &str) -> String {
    if !text.contains('%') {
        return text.to_owned();
    }
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        match escaped_byte(bytes, at) {
            Some(byte) => {
                decoded.push(byte);
                at += 3;
            }
            None => {
                decoded.push(bytes[at]);
                at += 1;
            }
        }
    }
    match String::from_utf8(decoded) {
        Ok(decoded) if !decoded.contains('\0') => decoded,
        _ => text.to_owned(),
    }
}

/// The byte that `%XX` at this place stands for.
fn escaped_byte(bytes: &[u8], at: usize) -> Option<u8> {
    if bytes.get(at) != Some(&b'%') {
        return None;
    }
    let digit = |offset: usize| char::from(*bytes.get(at + offset)?).to_digit(16);
    u8::try_from(digit(1)? * 16 + digit(2)?).ok()
}

/// The reference that [`to_path`] turns back into this path.
pub fn from_path(path: &str) -> String {
    if has_scheme(path) {
        return tidy(path);
    }
    let mut reference = match path {
        _ if is_drive(path) => String::from("file:///"),
        _ if path.starts_with("//") => String::from("file:"),
        _ if path.starts_with('/') => String::from("file://"),
        // A colon in the first segment would read as a scheme.
        _ if path
            .split('/')
            .next()
            .is_some_and(|first| first.contains(':')) =>
        {
            String::from("./")
        }
        _ => String::new(),
    };
    for byte in path.bytes() {
        let plain = byte.is_ascii_alphanumeric() || b"-._~/!$&'()*+,;=:@".contains(&byte);
        push(&mut reference, byte, plain);
    }
    reference
}

/// The same reference with what no URI may have percent-encoded.
pub fn tidy(reference: &str) -> String {
    let mut tidied = String::with_capacity(reference.len());
    let mut rest = reference;
    if let Some((scheme, after)) = split_scheme(rest) {
        tidied.push_str(scheme);
        tidied.push(':');
        rest = after;
    } else {
        // A colon in the first segment would end a scheme.
        let segment = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        encode(&mut tidied, &rest[..segment], b"@!$&'()*+,;=");
        rest = &rest[segment..];
    }
    if let Some(after) = rest.strip_prefix("//") {
        let authority = after.find(['/', '?', '#']).unwrap_or(after.len());
        tidied.push_str("//");
        encode_authority(&mut tidied, &after[..authority]);
        rest = &after[authority..];
    }
    let fragment = rest.find('#').map_or(rest.len(), |mark| mark + 1);
    let (path, fragment) = rest.split_at(fragment);
    encode(&mut tidied, path, b":/?@!$&'()*+,;=#");
    encode(&mut tidied, fragment, b":/?@!$&'()*+,;=");
    tidied
}

/// A scheme by the letter of the standard, which may have one character.
fn split_scheme(reference: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = reference.split_once(':')?;
    let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.');
    let valid = scheme.starts_with(|c: char| c.is_ascii_alphabetic()) && scheme.bytes().all(legal);
    valid.then_some((scheme, rest))
}

/// User, host and port; an authority of another form becomes a host name of encoded characters.
fn encode_authority(text: &mut String, authority: &str) {
    let (user, host) = match authority.split_once('@') {
        Some((user, host)) => (Some(user), host),
        None => (None, authority),
    };
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) => (name, Some(port)),
        None => (host, None),
    };
    let digits = port.is_none_or(|port| port.bytes().all(|byte| byte.is_ascii_digit()));
    if !digits || name.contains([':', '@']) {
        return encode(text, authority, b"!$&'()*+,;=");
    }
    if let Some(user) = user {
        encode(text, user, b":!$&'()*+,;=");
        text.push('@');
    }
    encode(text, name, b"!$&'()*+,;=");
    if let Some(port) = port {
        text.push(':');
        text.push_str(port);
    }
}

/// Appends a part of a reference. Only unreserved characters, these marks and what is encoded
/// already stay as they are.
fn encode(text: &mut String, part: &str, marks: &[u8]) {
    let bytes = part.as_bytes();
    for (at, &byte) in bytes.iter().enumerate() {
        let plain = match byte {
            b'%' => escaped_byte(bytes, at).is_some(),
            _ => byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || marks.contains(&byte),
        };
        push(text, byte, plain);
    }
}

fn push(text: &mut String, byte: u8, plain: bool) {
    if plain {
        text.push(char::from(byte));
    } else {
        text.push_str(&format!("%{byte:02X}"));
    }
}

/// The reference if it is an absolute URI.
pub fn absolute(reference: Option<&str>) -> Option<String> {
    reference
        .filter(|reference| has_scheme(reference))
        .map(tidy)
}

/// A relative reference below a base.
pub fn join(base: &str, reference: &str) -> String {
    let slash = if base.is_empty() || base.ends_with('/') {
        ""
    } else {
        "/"
    };
    format!("{base}{slash}{reference}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        for (reference, path) in [
            ("src/a.py", "src/a.py"),
            ("./src/./a.py", "src/a.py"),
            ("././a", "a"),
            ("./", "."),
            ("lib/../src/a.py", "src/a.py"),
            ("../up/a.py", "../up/a.py"),
            ("../../a", "../../a"),
            ("a%20b/%C3%A9.py", "a b/é.py"),
            ("100%.txt", "100%.txt"),
            ("50%2", "50%2"),
            ("bad%FF.txt", "bad%FF.txt"),
            ("nul%00.txt", "nul%00.txt"),
            ("/abs/x.py", "/abs/x.py"),
            ("/../x", "/x"),
            ("file:///home/me/a%20b.py", "/home/me/a b.py"),
            ("FILE:///home/x", "/home/x"),
            ("file:/home/x", "/home/x"),
            ("file://localhost/home/x", "/home/x"),
            ("file://server/share/x", "//server/share/x"),
            ("file:///C:/x/y.py", "C:/x/y.py"),
            ("file:///C%3A/x", "C:/x"),
            ("file://C:/x", "C:/x"),
            ("C:\\x\\y.py", "C:\\x\\y.py"),
            ("https://example.com/a%20b", "https://example.com/a%20b"),
            ("file:", ""),
            ("é", "é"),
            ("filé:", "filé:"),
        ] {
            assert_eq!(to_path(reference), path, "{reference}");
        }
    }

    #[test]
    fn paths_come_back() {
        for path in [
            "src/a.py",
            "a b/é%20.py",
            "100%",
            "what?.py",
            "x#y",
            "/home/x y",
            "//server/share/x",
            "C:/x y",
            "C:\\x",
            "a:b/c",
            "lib/a:b",
            "https://example.com/a%20b",
            "[x]",
        ] {
            assert_eq!(to_path(&from_path(path)), path, "{path}");
        }
        assert_eq!(from_path("a b.py"), "a%20b.py");
        assert_eq!(from_path("/a"), "file:///a");
    }

    #[test]
    fn tidying_is_idempotent() {
        for reference in [
            "a b",
            "100%",
            "%zz",
            "a#b#c",
            "x[1]",
            "\\a",
            "é",
            "%41",
            ":",
            "é:x",
            "1:2/3:4",
            "//a:b@c:d",
            "https://u@h:80/x:y?z",
            "https://a:b/",
            "http://[::1]:8/",
            "C:\\x",
        ] {
            let once = tidy(reference);
            assert_eq!(tidy(&once), once);
            assert!(once.is_ascii());
        }
        assert_eq!(tidy("a b#c#d%"), "a%20b#c%23d%25");
        assert_eq!(tidy("é:x/y:z"), "%C3%A9%3Ax/y:z");
        assert_eq!(tidy("https://u:p@h:80/x y"), "https://u:p@h:80/x%20y");
        assert_eq!(tidy("https://a:b/"), "https://a%3Ab/");
    }
}
