//! Tables of the extension that are looked into at every authentication: what the catalogs say of them is kept
//! until it changes.

use std::cell::Cell;
use std::ffi::CStr;

use pgrx::pg_sys;

use super::{Key, Open, Path, Row};
use crate::codeverify::changes::{generation, watch};

/// A table, the first columns of one of its indexes, and the columns that are read.
pub struct Remembered<const N: usize, const C: usize> {
    pub schema: &'static CStr,
    pub table: &'static CStr,
    pub key: [&'static CStr; N],
    pub columns: [&'static CStr; C],
    pub known: Cell<Option<Known<N, C>>>,
}

/// What the catalogs said of it.
#[derive(Clone, Copy)]
pub struct Known<const N: usize, const C: usize> {
    /// When they said it: whatever was invalidated since may be about this table.
    generation: u64,
    oid: pg_sys::Oid,
    path: Path<N>,
    columns: [i16; C],
}

impl<const N: usize, const C: usize> Remembered<N, C> {
    /// The row with these values as it is committed now, or as this transaction has made it; `read` takes from it,
    /// given the numbers of the columns. None also when the table or its index is not there, as in the midst of
    /// a restore.
    pub fn find<R>(&self, keys: &[Key; N], read: impl Fn(&Row, &[i16; C]) -> R) -> Option<R> {
        let oid = self
            .remembered()
            .map_or_else(|| self.oid(), |known| known.oid);
        if oid == pg_sys::InvalidOid {
            return None;
        }
        let table = Open::with_lock(oid, pg_sys::AccessShareLock);
        // Opening it has heard what others have changed; from now on the lock keeps them.
        let known = self.remembered().or_else(|| {
            let generation = generation();
            watch(oid);
            let table = table.table();
            let known = Known {
                generation,
                oid,
                path: Path::find(table, self.key)?,
                columns: self.columns.map(|name| table.column(name)),
            };
            self.known.set(Some(known));
            Some(known)
        })?;
        known
            .path
            .find_updated(table.table(), keys, |row| read(row, &known.columns))
    }

    fn remembered(&self) -> Option<Known<N, C>> {
        self.known
            .get()
            .filter(|known| known.generation == generation())
    }

    fn oid(&self) -> pg_sys::Oid {
        oid_of(self.schema, self.table)
    }
}

/// A table; InvalidOid where it is not there.
pub fn oid_of(schema: &'static CStr, table: &'static CStr) -> pg_sys::Oid {
    // SAFETY: catalog look-ups by 'static names; InvalidOid for what is missing.
    unsafe {
        let schema = pg_sys::get_namespace_oid(schema.as_ptr(), true);
        pg_sys::get_relname_relid(table.as_ptr(), schema)
    }
}
