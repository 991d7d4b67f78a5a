//! Glue: an entry from the values of a row.

use pgrx::pg_sys::{self, Datum};
use pgrx::varlena::{varatt_is_1b, varatt_is_1b_e, varatt_is_4b_u, vardata_any, varsize_any_exhdr};
use uuid::Uuid;

use super::explanation::Suspect;
use super::tally::Seen;
use super::walk;
use crate::audits::encoding::{parse_hash, unix_micros, Entry, Hash, GENESIS};

/// The columns in the order in which [`Row`] takes their values, with casts that cost nothing and keep a column
/// of another type from being taken for what it is not.
pub const COLUMNS: &str = "a.org_id::uuid, a.lane::int4, a.seq::int8, a.prev_hash::text, a.id::int8, \
    a.event_id::uuid, a.ts::timestamptz, a.entity::text, a.action::text, a.actor_id::uuid, a.resource_id::uuid, \
    a.payload::jsonb, a.ip_address::text, a.user_agent::text, a.signature::text";

/// How many they are.
pub const WIDTH: usize = 15;

/// An entry as it is stored.
pub struct Row<'a> {
    entry: Entry<'a>,
    prev_hash: Option<Hash>,
    signature: Option<Hash>,
}

impl Row<'_> {
    /// # Safety
    /// `value` gives the values of [`COLUMNS`], which live as long as the row.
    pub unsafe fn read<'a>(value: impl Fn(usize) -> Option<Datum>) -> Row<'a> {
        // SAFETY: as promised by the caller.
        unsafe {
            let prev_hash = value(3).and_then(|datum| read_hash(datum));
            Row {
                entry: Entry {
                    org_id: value(0).map(|datum| read_uuid(datum)),
                    lane: value(1).map_or(0, |datum| datum.value() as i32),
                    seq: value(2).map_or(0, |datum| datum.value() as i64),
                    prev_hash: prev_hash.unwrap_or(GENESIS),
                    id: value(4).map_or(0, |datum| datum.value() as i64),
                    event_id: value(5).map_or(Uuid::nil(), |datum| read_uuid(datum)),
                    ts: value(6).map_or(0, |datum| unix_micros(datum.value() as i64)),
                    entity: value(7).map(|datum| read_text(datum)),
                    action: value(8).map_or("", |datum| read_text(datum)),
                    actor_id: value(9).map(|datum| read_uuid(datum)),
                    resource_id: value(10).map(|datum| read_uuid(datum)),
                    payload: value(11).map_or(&[], |datum| read_bytes(datum)),
                    ip_address: value(12).map(|datum| read_text(datum)),
                    user_agent: value(13).map(|datum| read_text(datum)),
                },
                prev_hash,
                signature: value(14).and_then(|datum| read_hash(datum)),
            }
        }
    }

    /// The hash of what is stored, unless that cannot be read.
    fn compute(&self) -> Option<Hash> {
        self.prev_hash?;
        self.entry.leaf_hash().ok()
    }

    pub fn seen(&self) -> Seen {
        Seen {
            seq: self.entry.seq,
            ts: self.entry.ts,
            prev_hash: self.entry.prev_hash,
            signature: self.signature.unwrap_or(GENESIS),
            is_intact: self.signature.is_some() && self.compute() == self.signature,
        }
    }

    pub fn walked(&self) -> walk::Entry {
        walk::Entry {
            seq: self.entry.seq,
            id: self.entry.id,
            ts: self.entry.ts,
            prev_hash: self.prev_hash,
            signature: self.signature,
            computed: self.compute(),
        }
    }

    pub fn suspect(&self) -> Suspect {
        Suspect::new(&self.entry, &self.walked())
    }
}

/// # Safety
/// The datum is a uuid.
pub unsafe fn read_uuid(datum: Datum) -> Uuid {
    // SAFETY: as promised by the caller; a uuid is 16 bytes, at any address.
    Uuid::from_bytes(unsafe { *datum.cast_mut_ptr::<[u8; 16]>() })
}

/// # Safety
/// The datum is a varlena; the result lives as long as its row, or as the memory context if it was compressed.
pub unsafe fn read_bytes<'a>(datum: Datum) -> &'a [u8] {
    // SAFETY: as promised by the caller.
    unsafe {
        let stored = datum.cast_mut_ptr::<pg_sys::varlena>();
        // Most values are as they are: a call into the server costs more than looking.
        let plain = varatt_is_4b_u(stored) || (varatt_is_1b(stored) && !varatt_is_1b_e(stored));
        let value = if plain {
            stored
        } else {
            pg_sys::pg_detoast_datum_packed(stored)
        };
        std::slice::from_raw_parts(vardata_any(value).cast(), varsize_any_exhdr(value))
    }
}

/// # Safety
/// The datum is a text; the result lives as that of [`read_bytes`].
unsafe fn read_text<'a>(datum: Datum) -> &'a str {
    // SAFETY: as promised by the caller; texts are in the database's encoding, UTF-8, which bootstrap.sql has
    // made sure of.
    unsafe { std::str::from_utf8_unchecked(read_bytes(datum)) }
}

/// A hash from its 64 hexadecimal digits.
///
/// # Safety
/// The datum is a text.
pub unsafe fn read_hash(datum: Datum) -> Option<Hash> {
    // SAFETY: as promised by the caller.
    parse_hash(unsafe { read_bytes(datum) })
}
