//! Values as the server hands them over, copied out of its memory.

use pgrx::pg_sys::{self, Datum};
use pgrx::spi::{Result, SpiTupleTable};
use pgrx::varlena::{vardata_any, varsize_any_exhdr};
use uuid::Uuid;

use crate::audits::encoding::{unix_micros, Hash};

/// Columns of the row that a result stands at, by place from 1. pgrx's own getters leave a copy of every
/// value in memory that lasts as long as the transaction.
pub struct Row<'a, 'c>(pub &'a SpiTupleTable<'c>);

impl Row<'_, '_> {
    pub fn int8(&self, place: usize) -> Result<Option<i64>> {
        Ok(self.datum(place)?.map(|datum| datum.value() as i64))
    }

    pub fn int4(&self, place: usize) -> Result<Option<i32>> {
        Ok(self.datum(place)?.map(|datum| datum.value() as i32))
    }

    /// A timestamptz, in microseconds since 1970.
    pub fn time(&self, place: usize) -> Result<Option<i64>> {
        Ok(self.int8(place)?.map(unix_micros))
    }

    pub fn uuid(&self, place: usize) -> Result<Option<Uuid>> {
        Ok(self.datum(place)?.map(|datum| {
            // SAFETY: a uuid is 16 bytes of the row, which the result keeps.
            Uuid::from_bytes(unsafe { *datum.cast_mut_ptr::<[u8; 16]>() })
        }))
    }

    pub fn bytes(&self, place: usize) -> Result<Option<Vec<u8>>> {
        Ok(self.datum(place)?.map(|datum| {
            // SAFETY: a varlena of the row, which the result keeps; what it is unpacked into goes with the
            // result's memory.
            unsafe {
                let value = pg_sys::pg_detoast_datum_packed(datum.cast_mut_ptr());
                std::slice::from_raw_parts(vardata_any(value).cast(), varsize_any_exhdr(value))
                    .to_vec()
            }
        }))
    }

    pub fn text(&self, place: usize) -> Result<Option<String>> {
        Ok(self.bytes(place)?.map(|bytes| {
            // The database's encoding is UTF-8, which bootstrap.sql has made sure of.
            String::from_utf8(bytes)
                .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
        }))
    }

    /// A hash of 64 hexadecimal digits.
    pub fn hash(&self, place: usize) -> Result<Option<Hash>> {
        Ok(self
            .bytes(place)?
            .and_then(|digits| crate::audits::encoding::parse_hash(&digits)))
    }

    /// Numbers with commas between, as array_to_string() gives them.
    pub fn numbers<T: std::str::FromStr>(&self, place: usize) -> Result<Vec<T>> {
        Ok(self
            .text(place)?
            .unwrap_or_default()
            .split(',')
            .filter_map(|number| number.parse().ok())
            .collect())
    }

    /// A value of any type, which the result keeps.
    pub fn datum(&self, place: usize) -> Result<Option<Datum>> {
        self.0.get_datum_by_ordinal(place)
    }
}
