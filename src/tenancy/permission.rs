//! What each role inside an organization may do. Row security policies and functions both ask here.

use std::str::FromStr;

/// A member's role; an API key acts as the highest role that its scopes name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemberRole {
    Owner,
    Admin,
    Member,
    Developer,
    Viewer,
}

/// What a policy or function can ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    /// See the organization's rows.
    Read,
    /// Write analyses, findings and what else a developer makes.
    Write,
    /// Manage members, invitations, keys, rules and webhooks.
    Manage,
    /// Make and unmake owners.
    Own,
}

impl MemberRole {
    pub const ALL: [MemberRole; 5] = [
        MemberRole::Owner,
        MemberRole::Admin,
        MemberRole::Member,
        MemberRole::Developer,
        MemberRole::Viewer,
    ];

    /// The role's name in `tenancy.org_memberships.role`.
    pub fn name(self) -> &'static str {
        match self {
            MemberRole::Owner => "owner",
            MemberRole::Admin => "admin",
            MemberRole::Member => "member",
            MemberRole::Developer => "developer",
            MemberRole::Viewer => "viewer",
        }
    }

    /// The one of two roles that may do less.
    pub fn lesser(self, other: MemberRole) -> MemberRole {
        let rank = |role: MemberRole| MemberRole::ALL.iter().position(|known| *known == role);
        if rank(self) < rank(other) {
            other
        } else {
            self
        }
    }

    /// Whether the role has the permission.
    pub fn allows(self, permission: Permission) -> bool {
        match permission {
            Permission::Read => true,
            Permission::Write => self != MemberRole::Viewer,
            Permission::Manage => matches!(self, MemberRole::Owner | MemberRole::Admin),
            Permission::Own => self == MemberRole::Owner,
        }
    }

    /// The role an API key with these scopes acts as: `admin` manages, `write` writes, anything else reads.
    pub fn from_scopes<'a>(scopes: impl Iterator<Item = &'a str>) -> MemberRole {
        scopes.fold(MemberRole::Viewer, |role, scope| match (role, scope) {
            (_, "admin") | (MemberRole::Admin, _) => MemberRole::Admin,
            (_, "write") => MemberRole::Developer,
            _ => role,
        })
    }
}

impl FromStr for MemberRole {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        MemberRole::ALL
            .into_iter()
            .find(|role| role.name() == name)
            .ok_or(())
    }
}

impl Permission {
    pub const ALL: [Permission; 4] = [
        Permission::Read,
        Permission::Write,
        Permission::Manage,
        Permission::Own,
    ];

    /// The name that policies and functions ask by.
    pub fn name(self) -> &'static str {
        match self {
            Permission::Read => "read",
            Permission::Write => "write",
            Permission::Manage => "manage",
            Permission::Own => "own",
        }
    }

    /// What it lets a member do, for people.
    pub fn meaning(self) -> &'static str {
        match self {
            Permission::Read => "See the rows of the organization.",
            Permission::Write => "Write analyses, findings, projects and what else work produces.",
            Permission::Manage => {
                "Manage members, invitations, API keys, services, repositories, rules and webhooks."
            }
            Permission::Own => "Make and unmake owners, and hand the organization over.",
        }
    }
}

impl FromStr for Permission {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        Permission::ALL
            .into_iter()
            .find(|permission| permission.name() == name)
            .ok_or(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_allow_what_the_documents_say() {
        let allowed = |role: MemberRole| Permission::ALL.map(|permission| role.allows(permission));
        assert_eq!(allowed(MemberRole::Owner), [true, true, true, true]);
        assert_eq!(allowed(MemberRole::Admin), [true, true, true, false]);
        assert_eq!(allowed(MemberRole::Member), [true, true, false, false]);
        assert_eq!(allowed(MemberRole::Developer), [true, true, false, false]);
        assert_eq!(allowed(MemberRole::Viewer), [true, false, false, false]);
    }

    #[test]
    fn the_lesser_of_two_roles_allows_what_both_do() {
        for one in MemberRole::ALL {
            for other in MemberRole::ALL {
                let lesser = one.lesser(other);
                assert_eq!(lesser, other.lesser(one));
                for permission in Permission::ALL {
                    assert_eq!(
                        lesser.allows(permission),
                        one.allows(permission) && other.allows(permission)
                    );
                }
            }
        }
    }

    #[test]
    fn names_round_trip_and_others_are_refused() {
        for role in MemberRole::ALL {
            assert_eq!(role.name().parse(), Ok(role));
        }
        assert_eq!("Owner".parse::<MemberRole>(), Err(()));
        assert_eq!("".parse::<MemberRole>(), Err(()));
        assert_eq!("delete".parse::<Permission>(), Err(()));
    }

    #[test]
    fn scopes_give_the_highest_role_they_name_and_never_owner() {
        let role = |scopes: &[&str]| MemberRole::from_scopes(scopes.iter().copied());
        assert_eq!(role(&[]), MemberRole::Viewer);
        assert_eq!(role(&["read"]), MemberRole::Viewer);
        assert_eq!(role(&["owner", "logs:ingest"]), MemberRole::Viewer);
        assert_eq!(role(&["read", "write"]), MemberRole::Developer);
        assert_eq!(role(&["admin", "write", "read"]), MemberRole::Admin);
        assert_eq!(role(&["write", "admin"]), MemberRole::Admin);
    }
}
