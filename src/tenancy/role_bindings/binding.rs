//! Whom a login is bound to, as the setting `codeverify.bound_identity` says it: `organization/role` or
//! `organization/role/user`.
//!
//! It is one setting and not three, because a client can keep a setting of its role from being applied (by
//! sending one of the same name when it connects): of three, that would leave a part of an identity.

use std::str::FromStr;

use uuid::Uuid;

use crate::tenancy::permission::MemberRole;

/// What a login may act as, at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Binding {
    pub org_id: Uuid,
    pub role: MemberRole,
    pub user_id: Option<Uuid>,
}

impl FromStr for Binding {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut parts = text.split('/');
        let org_id = parts.next().ok_or(()).and_then(parse_id)?;
        let role = parts.next().ok_or(())?.parse()?;
        let user_id = parts.next().map(parse_id).transpose()?;
        match parts.next() {
            None => Ok(Binding {
                org_id,
                role,
                user_id,
            }),
            Some(_) => Err(()),
        }
    }
}

fn parse_id(text: &str) -> Result<Uuid, ()> {
    Uuid::try_parse(text).map_err(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ORG: &str = "0f4f0a53-4b57-4f5c-9e0f-0d1c6b8a7e21";
    const USER: &str = "5a5b1c2d-3e4f-4a5b-8c6d-7e8f9a0b1c2d";

    #[test]
    fn an_organization_and_a_role_are_enough() {
        let binding: Binding = format!("{ORG}/developer").parse().expect("a binding");
        assert_eq!(binding.org_id.to_string(), ORG);
        assert_eq!(binding.role, MemberRole::Developer);
        assert_eq!(binding.user_id, None);
    }

    #[test]
    fn a_user_may_follow() {
        let binding: Binding = format!("{ORG}/owner/{USER}").parse().expect("a binding");
        assert_eq!(binding.user_id.map(|id| id.to_string()), Some(USER.into()));
    }

    #[test]
    fn a_part_of_a_binding_is_none() {
        for text in [
            "".into(),
            ORG.into(),
            format!("{ORG}/"),
            format!("{ORG}/emperor"),
            format!("/developer/{USER}"),
            format!("{ORG}/developer/"),
            format!("{ORG}/developer/{USER}/"),
            format!("{ORG}/developer/{USER}/{USER}"),
            format!(" {ORG}/developer"),
            format!("{ORG}/Developer"),
        ] {
            assert_eq!(text.parse::<Binding>(), Err(()), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic(text in ".*") {
            prop_assert!(text.parse::<Binding>().is_err());
        }
    }
}
