//! Reads many rows, some at a time, each time with memory that is freed after it.

use pgrx::datum::DatumWithOid;
use pgrx::spi::{Error, Result};
use pgrx::Spi;

use super::datum::Row;

/// A cursor that stays open between fetches; the transaction's end closes it too.
pub struct Cursor {
    name: String,
}

impl Cursor {
    /// Opens a query, with a snapshot of its own where the transaction has none for all of its queries.
    pub fn open(sql: &str, arguments: &[DatumWithOid]) -> Cursor {
        Cursor {
            name: Spi::connect_mut(|client| client.open_cursor(sql, arguments).detach_into_name()),
        }
    }

    /// What `read` makes of the next rows; none at the end.
    pub fn fetch<T>(&self, count: i64, mut read: impl FnMut(&Row) -> Result<T>) -> Vec<T> {
        Spi::connect_mut(|client| {
            let mut cursor = client.find_cursor(&self.name)?;
            let fetched = cursor.fetch(count).and_then(|mut rows| {
                let mut fetched = Vec::with_capacity(rows.len());
                while rows.next().is_some() {
                    fetched.push(read(&Row(&rows))?);
                }
                Ok(fetched)
            });
            cursor.detach_into_name();
            fetched
        })
        .unwrap_or_else(fail)
    }

    /// An open cursor would count as a use of its table.
    pub fn close(self) {
        Spi::connect_mut(|client| client.find_cursor(&self.name).map(drop)).unwrap_or_else(fail);
    }
}

fn fail<T>(error: Error) -> T {
    pgrx::error!("{error}")
}
