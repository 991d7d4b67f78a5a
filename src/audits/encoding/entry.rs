//! An entry, field by field.

use std::cell::RefCell;

use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::jsonb::Walker;
use super::writer::{Malformed, Type, Writer};

/// A SHA-256.
pub type Hash = [u8; 32];

/// prev_hash of a lane's first entry.
pub const GENESIS: Hash = [0; 32];

/// The byte that RFC 6962 puts before a leaf, so that no leaf looks like an inner node.
const LEAF_PREFIX: u8 = 0;

/// From PostgreSQL's epoch, 2000-01-01, back to that of Unix.
const EPOCHS_APART: i64 = 946_684_800_000_000;

/// Above this, the buffers that are kept between entries are given back.
const KEPT: usize = 1 << 20;

/// All that an entry's hash covers.
pub struct Entry<'a> {
    pub org_id: Option<Uuid>,
    pub lane: i32,
    pub seq: i64,
    pub prev_hash: Hash,
    pub id: i64,
    pub event_id: Uuid,
    /// Microseconds since 1970-01-01 00:00 UTC; see [`unix_micros`].
    pub ts: i64,
    pub entity: Option<&'a str>,
    pub action: &'a str,
    pub actor_id: Option<Uuid>,
    pub resource_id: Option<Uuid>,
    /// The jsonb value as PostgreSQL stores it, detoasted, without the varlena header, at any address.
    pub payload: &'a [u8],
    pub ip_address: Option<&'a str>,
    pub user_agent: Option<&'a str>,
}

/// What is reused from one entry to the next.
#[derive(Default)]
struct Encoder {
    writer: Writer,
    walker: Walker,
}

thread_local! {
    static ENCODER: RefCell<Encoder> = RefCell::default();
}

impl Entry<'_> {
    /// The entry's signature: the leaf hash of RFC 6962 over its encoding.
    pub fn leaf_hash(&self) -> Result<Hash, Malformed> {
        self.with_leaf(|leaf| Sha256::digest(leaf).into())
    }

    /// The encoding, without the prefix of a leaf.
    pub fn encode(&self) -> Result<Vec<u8>, Malformed> {
        self.with_leaf(|leaf| leaf[1..].to_vec())
    }

    /// Lets `read` see the prefix and the encoding.
    fn with_leaf<T>(&self, read: impl FnOnce(&[u8]) -> T) -> Result<T, Malformed> {
        ENCODER.with_borrow_mut(|Encoder { writer, walker }| {
            let result = self.write(writer, walker).map(|()| read(writer.bytes()));
            writer.shrink(KEPT);
            walker.shrink(KEPT);
            result
        })
    }

    fn write(&self, to: &mut Writer, walker: &mut Walker) -> Result<(), Malformed> {
        let uuid = |value: &Option<Uuid>| value.map(Uuid::into_bytes);
        to.start(LEAF_PREFIX);
        to.field(1, Type::Uuid, uuid(&self.org_id).as_ref())?;
        to.field(2, Type::Int64, Some(&i64::from(self.lane).to_be_bytes()))?;
        to.field(3, Type::Int64, Some(&self.seq.to_be_bytes()))?;
        to.field(4, Type::Hash, Some(&self.prev_hash))?;
        to.field(5, Type::Int64, Some(&self.id.to_be_bytes()))?;
        to.field(6, Type::Uuid, Some(self.event_id.as_bytes()))?;
        to.field(7, Type::Timestamp, Some(&self.ts.to_be_bytes()))?;
        to.field(8, Type::Text, self.entity)?;
        to.field(9, Type::Text, Some(self.action))?;
        to.field(10, Type::Uuid, uuid(&self.actor_id).as_ref())?;
        to.field(11, Type::Uuid, uuid(&self.resource_id).as_ref())?;
        to.jsonb_field(12, |to| walker.walk(self.payload, to))?;
        to.field(13, Type::Text, self.ip_address)?;
        to.field(14, Type::Text, self.user_agent)
    }
}

/// PostgreSQL's timestamptz, microseconds since 2000-01-01 UTC, as those since 1970-01-01. It wraps
/// around instead of failing, which keeps infinity and the last years of the calendar apart from all else.
pub const fn unix_micros(timestamptz: i64) -> i64 {
    timestamptz.wrapping_add(EPOCHS_APART)
}

/// Reads 64 lower-case hexadecimal digits: a hash has no second spelling.
pub fn parse_hash(digits: &[u8]) -> Option<Hash> {
    let mut hash = GENESIS;
    let lower_case = !digits.iter().any(u8::is_ascii_uppercase);
    (lower_case && hex::decode_to_slice(digits, &mut hash).is_ok()).then_some(hash)
}
