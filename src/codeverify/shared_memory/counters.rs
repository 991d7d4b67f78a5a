//! Numbers of each database that are added to, and that a flush step takes out.

use std::sync::atomic::{AtomicU64, Ordering};

use super::lock::Locks;
use super::slots::{Full, Key, Value};
use super::table::{Changed, Table};
use super::Region;

/// `N` numbers for each database.
pub struct Counters<const N: usize> {
    table: Table<Numbers<N>>,
}

/// Databases whose numbers are kept at the same time.
const DATABASES: usize = 1024;

#[repr(C)]
struct Numbers<const N: usize>([AtomicU64; N]);

// SAFETY: atomic numbers.
unsafe impl<const N: usize> Value for Numbers<N> {
    fn clear(&self) {
        for number in &self.0 {
            number.store(0, Ordering::Relaxed);
        }
    }
}

fn key(database: u32) -> Key {
    Key { database, id: 0 }
}

impl<const N: usize> Counters<N> {
    pub const fn new() -> Counters<N> {
        Counters {
            table: Table::new(|| DATABASES),
        }
    }

    /// Adds to a number. Full where nothing is preloaded, or too many databases count.
    pub fn add(&self, database: u32, number: usize, amount: u64) -> Result<(), Full> {
        let count = |numbers: &super::table::Entry<Numbers<N>>| {
            if let Some(number) = numbers.0.get(number) {
                number.fetch_add(amount, Ordering::Relaxed);
                numbers.changed();
            }
        };
        self.table.with(key(database), count).map_or_else(
            || self.table.with_or_insert(key(database), |_| (), count),
            Ok,
        )
    }

    /// What has been added since it was last settled; None for nothing.
    pub fn collect(&self, database: u32) -> Option<Changed<[u64; N]>> {
        let read = |numbers: &Numbers<N>| {
            std::array::from_fn(|number| numbers.0[number].load(Ordering::Relaxed))
        };
        self.table.collect(database, 1, read).pop()
    }

    /// Takes out what `collect` has given, once it is written and committed.
    pub fn settle(&self, database: u32, taken: &Changed<[u64; N]>) {
        self.table.with(key(database), |numbers| {
            for (number, taken) in numbers.0.iter().zip(taken.value) {
                number.fetch_sub(taken, Ordering::Relaxed);
            }
        });
        self.table.settle(database, [(taken.id, taken.version)]);
    }
}

impl<const N: usize> Region for Counters<N> {
    fn bytes(&self) -> usize {
        self.table.bytes()
    }

    fn locks(&self) -> usize {
        self.table.locks()
    }

    unsafe fn place(&self, memory: *mut u8, locks: Locks) {
        // SAFETY: as promised by the caller.
        unsafe { self.table.place(memory, locks) }
    }

    fn forget(&self, database: u32) {
        self.table.forget(database);
    }
}
