//! Looks keys up by index, as they are committed now: a key that was revoked a moment ago is refused even by a
//! transaction whose snapshot still shows it good.

use std::cell::Cell;
use std::rc::Rc;

use pgrx::FromDatum;
use uuid::Uuid;

use super::known::Known;
use super::scopes::Scopes;
use crate::auth::tokens::Token;
use crate::codeverify::index_lookup::{Key, Remembered, Row};
use crate::codeverify::jsonb::content_of;
use crate::tenancy::permission::MemberRole;
use crate::tenancy::sql::from_datum;

/// How far from a key that a person made the keys made by keys may be.
pub const MOST_GENERATIONS: usize = 8;

const COLUMNS: [&std::ffi::CStr; 11] = [
    c"id",
    c"org_id",
    c"scopes",
    c"created_by",
    c"parent_id",
    c"revoked_at",
    c"expires_at",
    c"last_used_at",
    c"previous_expires_at",
    c"created_at",
    c"rotated_at",
];

/// The keys by one column of theirs.
const fn keys_by(column: &'static std::ffi::CStr) -> Remembered<1, 11> {
    Remembered {
        schema: c"auth",
        table: c"api_keys",
        key: [column],
        columns: COLUMNS,
        known: Cell::new(None),
    }
}

thread_local! {
    static KEYS_BY_HASH: Remembered<1, 11> = const { keys_by(c"key_hash") };
    static KEYS_BY_PREVIOUS_HASH: Remembered<1, 11> = const { keys_by(c"previous_key_hash") };
    static KEYS_BY_ID: Remembered<1, 11> = const { keys_by(c"id") };
    static MEMBERSHIPS: Remembered<2, 2> = const {
        Remembered {
            schema: c"tenancy",
            table: c"org_memberships",
            key: [c"org_id", c"user_id"],
            columns: [c"role", c"created_at"],
            known: Cell::new(None),
        }
    };
}

/// A key's row.
pub struct StoredKey {
    pub id: Uuid,
    pub org_id: Uuid,
    /// As a jsonb is stored.
    scopes: Vec<u8>,
    pub created_by: Option<Uuid>,
    pub parent_id: Option<Uuid>,
    is_revoked: bool,
    /// Times in microseconds, as PostgreSQL counts them.
    expires_at: Option<i64>,
    pub last_used_at: Option<i64>,
    previous_expires_at: Option<i64>,
    /// When whoever answers for it came to do so.
    answered_since: Option<i64>,
    /// Whether it was found by the text that it had before it was rotated.
    is_previous: bool,
}

/// Why a key is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    Expired,
    /// It is past the time that a rotation left to the key's old text.
    Superseded,
    Revoked,
    /// Whoever made it is no member any more.
    Orphaned,
    /// A key that it descends from was revoked.
    ParentRevoked,
}

impl Fault {
    /// The `status` that a client is given.
    pub fn status(self) -> &'static str {
        match self {
            Fault::Expired | Fault::Superseded => "expired",
            Fault::Revoked | Fault::Orphaned | Fault::ParentRevoked => "revoked",
        }
    }

    /// The `reason` that the ledger is given.
    pub fn reason(self) -> &'static str {
        match self {
            Fault::Expired => "expired",
            Fault::Superseded => "superseded",
            Fault::Revoked => "revoked",
            Fault::Orphaned => "owner_left",
            Fault::ParentRevoked => "parent_revoked",
        }
    }
}

impl StoredKey {
    /// The key with this text, or that had it until it was rotated.
    pub fn find(token: &Token) -> Option<StoredKey> {
        let hash = token.hash();
        let wanted = [Key::Text(&hash)];
        KEYS_BY_HASH
            .with(|keys| keys.find(&wanted, read))
            .flatten()
            .or_else(|| {
                let key = KEYS_BY_PREVIOUS_HASH
                    .with(|keys| keys.find(&wanted, read))
                    .flatten()?;
                Some(StoredKey {
                    is_previous: true,
                    ..key
                })
            })
    }

    pub fn find_by_id(id: Uuid) -> Option<StoredKey> {
        KEYS_BY_ID
            .with(|keys| keys.find(&[Key::Uuid(Some(id))], read))
            .flatten()
    }

    /// What its scopes say.
    pub fn known(&self) -> Rc<Known> {
        Known::of(self.id, self.org_id, &self.scopes)
    }

    /// The role that the key acts with at a time: what its scopes say, but no more than whoever made it has in the
    /// organization.
    pub fn role(&self, scopes: &Scopes, now: i64) -> Result<MemberRole, Fault> {
        if self.is_revoked {
            return Err(Fault::Revoked);
        }
        if self.expires_at.is_some_and(|end| end <= now) {
            return Err(Fault::Expired);
        }
        if self.is_previous && self.previous_expires_at.is_none_or(|end| end <= now) {
            return Err(Fault::Superseded);
        }
        self.check_ancestors()?;
        match self.created_by {
            None => Ok(scopes.role()),
            Some(user_id) => membership(self.org_id, user_id)
                // A key that the end of an earlier membership has missed, for its snapshot, does not come back.
                .filter(|member| self.answered_since >= member.since)
                .map(|member| scopes.role().lesser(member.role))
                .ok_or(Fault::Orphaned),
        }
    }

    /// How many keys made one another before this one.
    pub fn generation(&self) -> usize {
        self.ancestors().count()
    }

    /// Whether the key, or one that it descends from, has this id.
    pub fn descends_from(&self, id: Uuid) -> bool {
        self.id == id || self.ancestors().any(|key| key.id == id)
    }

    /// Revoking a key revokes what it has made. A key that was being made meanwhile is refused here.
    fn check_ancestors(&self) -> Result<(), Fault> {
        if self.ancestors().any(|key| key.is_revoked) {
            Err(Fault::ParentRevoked)
        } else {
            Ok(())
        }
    }

    fn ancestors(&self) -> impl Iterator<Item = StoredKey> {
        let parent = |key: &StoredKey| key.parent_id.and_then(StoredKey::find_by_id);
        std::iter::successors(parent(self), parent).take(MOST_GENERATIONS)
    }
}

/// What a user is in an organization.
struct Membership {
    role: MemberRole,
    since: Option<i64>,
}

fn membership(org_id: Uuid, user_id: Uuid) -> Option<Membership> {
    let wanted = [Key::Uuid(Some(org_id)), Key::Uuid(Some(user_id))];
    MEMBERSHIPS
        .with(|memberships| {
            memberships.find(&wanted, |row, columns| {
                Some(Membership {
                    role: text(row, columns[0])?.parse().ok()?,
                    since: timestamp(row, columns[1]),
                })
            })
        })
        .flatten()
}

/// What a user is in an organization now; None for one who is no member.
pub fn member_role(org_id: Uuid, user_id: Uuid) -> Option<MemberRole> {
    membership(org_id, user_id).map(|member| member.role)
}

fn read(row: &Row, columns: &[i16; 11]) -> Option<StoredKey> {
    let [id, org_id, scopes, created_by, parent_id, revoked_at, expires_at, last_used_at, previous, created_at, rotated_at] =
        *columns;
    Some(StoredKey {
        id: uuid(row, id)?,
        org_id: uuid(row, org_id)?,
        // SAFETY: the column is a jsonb, which is copied while the row is pinned.
        scopes: row
            .get(scopes)
            .map(|datum| unsafe { content_of(datum) }.to_vec())?,
        created_by: uuid(row, created_by),
        parent_id: uuid(row, parent_id),
        is_revoked: row.get(revoked_at).is_some(),
        expires_at: timestamp(row, expires_at),
        last_used_at: timestamp(row, last_used_at),
        previous_expires_at: timestamp(row, previous),
        answered_since: timestamp(row, rotated_at).or_else(|| timestamp(row, created_at)),
        is_previous: false,
    })
}

fn uuid(row: &Row, column: i16) -> Option<Uuid> {
    // SAFETY: the column is a uuid, which is copied.
    unsafe { pgrx::Uuid::from_datum(row.get(column)?, false) }.map(from_datum)
}

fn text(row: &Row, column: i16) -> Option<String> {
    // SAFETY: the column is a text, which is copied.
    unsafe { String::from_datum(row.get(column)?, false) }
}

fn timestamp(row: &Row, column: i16) -> Option<i64> {
    row.get(column).map(|datum| datum.value() as i64)
}
