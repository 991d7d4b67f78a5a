//! What a key may do: the names in `auth.api_keys.scopes`.

use serde_json::Value;

use crate::tenancy::permission::{MemberRole, Permission};

const MOST_NAMES: usize = 64;
const LONGEST_NAME: usize = 255;

/// The names of a key's scopes. Three are general (`read`, `write`, `admin`) and decide the role that the key
/// acts with; any other is the application's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scopes(Vec<String>);

impl Scopes {
    /// Reads what somebody asks for: at most 64 names, of which one says at least that the key may read, since a
    /// context lets its holder see the organization's rows. Err says what is wrong.
    pub fn request(json: Option<&str>) -> Result<Scopes, &'static str> {
        let malformed = "scopes must be an array of at most 64 names";
        let Some(Ok(Value::Array(values))) = json.map(serde_json::from_str) else {
            return Err(malformed);
        };
        let names: Option<Vec<String>> = values
            .into_iter()
            .map(|value| match value {
                Value::String(name) if is_name(&name) => Some(name),
                _ => None,
            })
            .collect();
        let names = names.ok_or(malformed)?;
        if names.len() > MOST_NAMES {
            return Err(malformed);
        }
        if !names.iter().any(|name| is_general(name)) {
            return Err("one of the scopes must be read, write or admin");
        }
        Ok(Scopes(names))
    }

    /// Reads what is stored; what is no array of texts gives no scope.
    pub fn stored(json: &str) -> Scopes {
        Scopes(serde_json::from_str(json).unwrap_or_default())
    }

    /// The role that a key with these scopes acts with, when nobody's own role is less.
    pub fn role(&self) -> MemberRole {
        MemberRole::from_scopes(self.0.iter().map(String::as_str))
    }

    /// Whether a key that acts with `role` has a scope: a general one by its role, another by name.
    pub fn grant(&self, role: MemberRole, required: &str) -> bool {
        match required {
            "read" => role.allows(Permission::Read),
            "write" => role.allows(Permission::Write),
            "admin" => role.allows(Permission::Manage),
            _ => self.0.iter().any(|name| name == required),
        }
    }

    /// A scope that `parent`, acting with `role`, could not use itself.
    pub fn beyond<'a>(&'a self, parent: &Scopes, role: MemberRole) -> Option<&'a str> {
        self.0
            .iter()
            .map(String::as_str)
            .find(|name| !parent.grant(role, name))
    }

    /// As they are stored.
    pub fn to_json(&self) -> Value {
        Value::from(self.0.clone())
    }
}

fn is_name(name: &str) -> bool {
    (1..=LONGEST_NAME).contains(&name.chars().count())
}

fn is_general(name: &str) -> bool {
    matches!(name, "read" | "write" | "admin")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_are_read_and_anything_else_is_refused() {
        let names = Scopes::request(Some(r#"["read", "scan:nightly"]"#));
        assert_eq!(
            names.map(|scopes| scopes.to_json()),
            Ok(serde_json::json!(["read", "scan:nightly"]))
        );
        let many = serde_json::json!(vec!["read"; 65]).to_string();
        let long = serde_json::json!(["read", "x".repeat(256)]).to_string();
        for json in [
            "{}",
            "[]",
            "\"read\"",
            "[1]",
            "[\"\"]",
            "[null]",
            "[[\"read\"]]",
            "null",
            "",
            "[\"x\"]",
            "[\"read\", 1]",
            &many,
            &long,
        ] {
            assert!(Scopes::request(Some(json)).is_err(), "{json}");
        }
        assert!(Scopes::request(None).is_err());
        assert!(Scopes::request(Some(&serde_json::json!(vec!["read"; 64]).to_string())).is_ok());
    }

    #[test]
    fn general_scopes_follow_the_role_and_others_the_name() {
        let scopes = Scopes::stored(r#"["admin", "logs:ingest"]"#);
        assert_eq!(scopes.role(), MemberRole::Admin);
        for (role, granted) in [
            (MemberRole::Admin, [true, true, true]),
            (MemberRole::Developer, [true, true, false]),
            (MemberRole::Viewer, [true, false, false]),
        ] {
            assert_eq!(
                ["read", "write", "admin"].map(|scope| scopes.grant(role, scope)),
                granted
            );
            assert!(scopes.grant(role, "logs:ingest"));
            assert!(!scopes.grant(role, "LOGS:INGEST"));
            assert!(!scopes.grant(role, ""));
        }
    }

    #[test]
    fn a_key_gives_what_it_has() {
        let parent = Scopes::stored(r#"["admin", "scan"]"#);
        let beyond = |json: &str, role| {
            Scopes::stored(json)
                .beyond(&parent, role)
                .map(str::to_owned)
        };
        assert_eq!(
            beyond(r#"["read", "write", "admin", "scan"]"#, MemberRole::Admin),
            None
        );
        assert_eq!(
            beyond(r#"["read", "billing"]"#, MemberRole::Admin),
            Some("billing".to_owned())
        );
        assert_eq!(
            beyond(r#"["admin"]"#, MemberRole::Developer),
            Some("admin".to_owned())
        );
    }

    #[test]
    fn what_is_stored_badly_gives_nothing() {
        for json in ["", "{}", "[1]", "null"] {
            assert_eq!(Scopes::stored(json).role(), MemberRole::Viewer);
            assert!(!Scopes::stored(json).grant(MemberRole::Viewer, "x"));
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic(json in ".*") {
            let _ = Scopes::request(Some(&json));
            Scopes::stored(&json);
        }
    }
}
