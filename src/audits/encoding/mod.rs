//! The bytes of an entry that its hash is made of.

use sha2::{Digest, Sha256};
use uuid::Uuid;

/// A SHA-256.
pub type Hash = [u8; 32];

/// prev_hash of a lane's first entry.
pub const GENESIS: Hash = [0; 32];

/// All that an entry's hash covers.
pub struct Entry<'a> {
    pub org_id: Option<Uuid>,
    pub lane: i32,
    pub seq: i64,
    pub prev_hash: Hash,
    pub id: i64,
    pub event_id: Uuid,
    /// Microseconds since 1970-01-01 00:00 UTC.
    pub ts: i64,
    pub entity: Option<&'a str>,
    pub action: &'a str,
    pub actor_id: Option<Uuid>,
    pub resource_id: Option<Uuid>,
    /// The jsonb value as PostgreSQL stores it, without the varlena header.
    pub payload: &'a [u8],
    pub ip_address: Option<&'a str>,
    pub user_agent: Option<&'a str>,
}

impl Entry<'_> {
    /// The entry's signature: the leaf hash of RFC 6962 over its encoding.
    pub fn leaf_hash(&self) -> Hash {
        let mut hasher = Sha256::new();
        hasher.update([0]);
        hasher.update(self.seq.to_be_bytes());
        hasher.update(self.prev_hash);
        hasher.update(self.payload);
        hasher.finalize().into()
    }
}
