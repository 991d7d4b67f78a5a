//! Reads and writes the columns of a row that is about to be inserted into a partition of audit_log.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::CStr;

use pgrx::pg_sys::{self, Datum};
use pgrx::varlena::{vardata_any, varsize_any_exhdr};
use uuid::Uuid;

use super::ledger::{read_hash, POSTGRES_EPOCH};
use crate::audits::encoding::Hash;
use crate::codeverify::index_lookup::Table;
use crate::codeverify::jsonb::content_of;

/// A column of audit_log.
#[derive(Clone, Copy)]
pub enum Column {
    Id,
    EventId,
    OrgId,
    Entity,
    Action,
    ActorId,
    ResourceId,
    Payload,
    IpAddress,
    UserAgent,
    Signature,
    PrevHash,
    Ts,
    Lane,
    Seq,
}

/// In the order of [`Column`].
const NAMES: [&CStr; 15] = [
    c"id",
    c"event_id",
    c"org_id",
    c"entity",
    c"action",
    c"actor_id",
    c"resource_id",
    c"payload",
    c"ip_address",
    c"user_agent",
    c"signature",
    c"prev_hash",
    c"ts",
    c"lane",
    c"seq",
];

/// Attribute numbers, in the order of [`Column`].
type Places = [i16; NAMES.len()];

thread_local! {
    /// Where the columns are in each partition: one that was attached may have an order of its own.
    static PLACES: RefCell<HashMap<pg_sys::Oid, Places>> = RefCell::default();
}

/// Forgets what is known of a relation, or of all.
pub fn forget(relation: pg_sys::Oid) {
    PLACES.with(|places| {
        if let Ok(mut places) = places.try_borrow_mut() {
            if relation == pg_sys::InvalidOid {
                places.clear();
            } else {
                places.remove(&relation);
            }
        }
    });
}

/// The row, and what is to be changed in it.
pub struct NewRow {
    relation: pg_sys::Relation,
    tuple: pg_sys::HeapTuple,
    places: Places,
    values: [Option<Datum>; NAMES.len()],
    changes: Vec<(i16, Datum)>,
}

impl NewRow {
    /// # Safety
    /// `tuple` is a row of `relation`, which is open, and both outlive the value.
    pub unsafe fn read(relation: pg_sys::Relation, tuple: pg_sys::HeapTuple) -> NewRow {
        // SAFETY: as promised by the caller.
        let (oid, descriptor) = unsafe { ((*relation).rd_id, (*relation).rd_att) };
        let known = PLACES.with_borrow(|places| places.get(&oid).copied());
        let places = known.unwrap_or_else(|| {
            // SAFETY: catalog look-ups with 'static names.
            let places = NAMES.map(|name| unsafe { pg_sys::get_attnum(oid, name.as_ptr()) });
            PLACES.with_borrow_mut(|all| all.insert(oid, places));
            places
        });
        // SAFETY: the descriptor is the relation's.
        let count = unsafe { (*descriptor).natts } as usize;
        let mut datums = vec![Datum::null(); count];
        let mut nulls = vec![true; count];
        // SAFETY: both arrays have an element for each attribute.
        unsafe {
            pg_sys::heap_deform_tuple(tuple, descriptor, datums.as_mut_ptr(), nulls.as_mut_ptr());
        }
        let values = places.map(|place| {
            let place = usize::try_from(place).ok()?.checked_sub(1)?;
            (!nulls[place]).then_some(datums[place])
        });
        NewRow {
            relation,
            tuple,
            places,
            values,
            changes: Vec::with_capacity(6),
        }
    }

    /// The partition that the row goes to.
    pub fn partition(&self) -> Table {
        // SAFETY: the INSERT holds it open, as promised to read().
        unsafe { Table::new(self.relation) }
    }

    /// The value of a column as it arrived; None for NULL.
    pub fn datum(&self, column: Column) -> Option<Datum> {
        self.values[column as usize]
    }

    pub fn int8(&self, column: Column) -> Option<i64> {
        self.datum(column).map(|value| value.value() as i64)
    }

    pub fn int4(&self, column: Column) -> Option<i32> {
        self.datum(column).map(|value| value.value() as i32)
    }

    /// Microseconds since 1970; None also for infinity, which is not a time of anything.
    pub fn time(&self, column: Column) -> Option<i64> {
        self.int8(column)
            .filter(|ts| *ts != i64::MIN && *ts != i64::MAX)
            .map(|ts| ts.saturating_add(POSTGRES_EPOCH))
    }

    pub fn uuid(&self, column: Column) -> Option<Uuid> {
        self.datum(column).map(|value| {
            // SAFETY: a uuid is 16 bytes in the tuple.
            Uuid::from_bytes(unsafe { *value.cast_mut_ptr::<[u8; 16]>() })
        })
    }

    pub fn hash(&self, column: Column) -> Option<Hash> {
        self.datum(column).and_then(read_hash)
    }

    /// A text, or the content of a jsonb after its length.
    fn bytes(&self, column: Column) -> Option<&[u8]> {
        self.datum(column).map(|value| {
            // SAFETY: a varlena; the detoasted copy, where one is needed, lives as long as the tuple: both
            // are in the memory of the row that is being inserted.
            unsafe {
                let value = pg_sys::pg_detoast_datum_packed(value.cast_mut_ptr());
                std::slice::from_raw_parts(vardata_any(value).cast(), varsize_any_exhdr(value))
            }
        })
    }

    pub fn text(&self, column: Column) -> Option<&str> {
        // SAFETY: texts are in the database's encoding, UTF-8, which bootstrap.sql has made sure of.
        self.bytes(column)
            .map(|bytes| unsafe { std::str::from_utf8_unchecked(bytes) })
    }

    /// As it has been set, or as it arrived.
    pub fn jsonb(&self, column: Column) -> Option<&[u8]> {
        let place = self.places[column as usize];
        match self.changes.iter().find(|(changed, _)| *changed == place) {
            // SAFETY: a jsonb in the memory of the row that is being inserted.
            Some((_, value)) => Some(unsafe { content_of(*value) }),
            None => self.bytes(column),
        }
    }

    /// Sets a column when [`NewRow::finish`] makes the new row.
    pub fn set(&mut self, column: Column, value: Datum) {
        self.changes.push((self.places[column as usize], value));
    }

    pub fn set_hash(&mut self, column: Column, hash: &Hash) {
        let digits = hex::encode(hash);
        // SAFETY: copies the digits.
        let text = unsafe {
            pg_sys::cstring_to_text_with_len(digits.as_ptr().cast(), digits.len() as i32)
        };
        self.set(column, Datum::from(text));
    }

    /// Sets a time that is given in microseconds since 1970.
    pub fn set_time(&mut self, column: Column, time: i64) {
        self.set(column, Datum::from(time.saturating_sub(POSTGRES_EPOCH)));
    }

    /// The row with its changes.
    pub fn finish(self) -> pg_sys::HeapTuple {
        let mut places: Vec<i32> = self
            .changes
            .iter()
            .map(|(place, _)| i32::from(*place))
            .collect();
        let mut values: Vec<Datum> = self.changes.iter().map(|(_, value)| *value).collect();
        let mut nulls = vec![false; places.len()];
        // SAFETY: the arrays have one element for each change, and the places are columns of the row.
        unsafe {
            pg_sys::heap_modify_tuple_by_cols(
                self.tuple,
                (*self.relation).rd_att,
                places.len() as i32,
                places.as_mut_ptr(),
                values.as_mut_ptr(),
                nulls.as_mut_ptr(),
            )
        }
    }
}
