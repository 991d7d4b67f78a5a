//! Whether an invitation is accepted, from what is known of it and of the user.

use crate::tenancy::permission::{MemberRole, Permission};

/// An invitation, and what the user who presents its code has to do with it.
#[derive(Clone, Debug)]
pub struct Presented {
    /// The role that it is for.
    pub role: MemberRole,
    pub is_revoked: bool,
    pub is_expired: bool,
    pub is_used_up: bool,
    /// Whether this user has joined with it before.
    pub was_used_by_user: bool,
    pub inviter: Inviter,
    /// The user's role in the organization, if there is one already.
    pub present_role: Option<MemberRole>,
    /// The address that it is bound to.
    pub email: Option<String>,
    /// The user's own address, where it was verified.
    pub verified_email: Option<String>,
}

/// Who invites, as of now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inviter {
    /// The trusted back end.
    Service,
    /// A user or key that acts with this role.
    Acting(MemberRole),
    /// A user who has left, or a key that has ended.
    Gone,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The user becomes a member with this role.
    Joins(MemberRole),
    AlreadyMember(MemberRole),
    Refused(&'static str),
}

impl Presented {
    pub fn verdict(&self) -> Verdict {
        if let Some(role) = self.present_role {
            return Verdict::AlreadyMember(role);
        }
        let role = match self.inviter {
            Inviter::Service => self.role,
            // Whoever may not invite any more has taken back what they invited to.
            Inviter::Acting(role) if role.allows(Permission::Manage) => self.role.lesser(role),
            Inviter::Acting(_) | Inviter::Gone => return Verdict::Refused("revoked"),
        };
        let is_addressee = self.email.is_none() || self.email == self.verified_email;
        if self.is_revoked {
            Verdict::Refused("revoked")
        } else if self.is_expired {
            Verdict::Refused("expired")
        } else if !is_addressee {
            Verdict::Refused("wrong_email")
        } else if self.is_used_up || self.was_used_by_user {
            // A member who was removed does not come back by the code that is still in their mail.
            Verdict::Refused("used_up")
        } else {
            Verdict::Joins(role)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> Presented {
        Presented {
            role: MemberRole::Developer,
            is_revoked: false,
            is_expired: false,
            is_used_up: false,
            was_used_by_user: false,
            inviter: Inviter::Acting(MemberRole::Admin),
            present_role: None,
            email: None,
            verified_email: None,
        }
    }

    #[test]
    fn a_good_one_gives_its_role() {
        assert_eq!(good().verdict(), Verdict::Joins(MemberRole::Developer));
    }

    #[test]
    fn nobody_is_given_more_than_the_inviter_has_now() {
        for role in MemberRole::ALL {
            for inviter in MemberRole::ALL {
                let presented = Presented {
                    role,
                    inviter: Inviter::Acting(inviter),
                    ..good()
                };
                match presented.verdict() {
                    Verdict::Joins(given) => {
                        assert_eq!(given, role.lesser(inviter));
                        assert!(inviter.allows(Permission::Manage));
                    }
                    verdict => {
                        assert_eq!(verdict, Verdict::Refused("revoked"));
                        assert!(!inviter.allows(Permission::Manage));
                    }
                }
            }
        }
        let orphaned = Presented {
            inviter: Inviter::Gone,
            ..good()
        };
        assert_eq!(orphaned.verdict(), Verdict::Refused("revoked"));
    }

    #[test]
    fn each_fault_has_its_status() {
        let refused = |presented: Presented| presented.verdict();
        assert_eq!(
            refused(Presented {
                is_revoked: true,
                is_expired: true,
                ..good()
            }),
            Verdict::Refused("revoked")
        );
        assert_eq!(
            refused(Presented {
                is_expired: true,
                is_used_up: true,
                ..good()
            }),
            Verdict::Refused("expired")
        );
        assert_eq!(
            refused(Presented {
                is_used_up: true,
                ..good()
            }),
            Verdict::Refused("used_up")
        );
        assert_eq!(
            refused(Presented {
                was_used_by_user: true,
                ..good()
            }),
            Verdict::Refused("used_up")
        );
        assert_eq!(
            refused(Presented {
                present_role: Some(MemberRole::Viewer),
                is_used_up: true,
                ..good()
            }),
            Verdict::AlreadyMember(MemberRole::Viewer)
        );
    }

    #[test]
    fn a_bound_one_is_for_its_verified_address() {
        let bound = |verified: Option<&str>| {
            Presented {
                email: Some("ada@a.test".to_owned()),
                verified_email: verified.map(str::to_owned),
                ..good()
            }
            .verdict()
        };
        assert_eq!(bound(None), Verdict::Refused("wrong_email"));
        assert_eq!(bound(Some("eve@a.test")), Verdict::Refused("wrong_email"));
        assert_eq!(
            bound(Some("ada@a.test")),
            Verdict::Joins(MemberRole::Developer)
        );
    }
}
