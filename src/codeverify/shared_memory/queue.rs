//! Records in shared memory that wait for a flush step, in the order in which they came.

use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering};

use pgrx::pg_sys;

use super::lock::{Held, Locks};
use super::slots::Full;
use super::{databases, Region};

/// Records of at most `BYTES` bytes, of all databases.
pub struct Queue<const BYTES: usize> {
    capacity: fn() -> usize,
    header: AtomicPtr<Header>,
    length: AtomicUsize,
    locks: AtomicPtr<pg_sys::LWLockPadded>,
}

/// All of it is read and written under the lock.
#[repr(C)]
struct Header {
    /// Records that came, ever.
    sequence: AtomicU64,
    used: AtomicUsize,
    /// Where the search for a free place goes on.
    next: AtomicUsize,
}

#[repr(C)]
struct Record<const BYTES: usize> {
    /// Its place in the order; 0 for a free one.
    sequence: AtomicU64,
    database: AtomicU32,
    length: AtomicU32,
    bytes: UnsafeCell<[u8; BYTES]>,
}

/// A copy of a record, which stays in the queue until it is released.
pub struct Waiting {
    place: usize,
    /// Its place in the order.
    pub sequence: u64,
    pub bytes: Vec<u8>,
}

const HEADER_BYTES: usize = 64;

impl<const BYTES: usize> Queue<BYTES> {
    /// A queue of as many records as `capacity` says when the server starts.
    pub const fn new(capacity: fn() -> usize) -> Queue<BYTES> {
        Queue {
            capacity,
            header: AtomicPtr::new(std::ptr::null_mut()),
            length: AtomicUsize::new(0),
            locks: AtomicPtr::new(std::ptr::null_mut()),
        }
    }

    /// The header and the records; None where nothing is preloaded.
    fn parts(&self) -> Option<(&Header, &[Record<BYTES>])> {
        let header = self.header.load(Ordering::Relaxed);
        if header.is_null() {
            return None;
        }
        // SAFETY: place() was given room for both, aligned; zeros are valid.
        unsafe {
            let records = header.cast::<u8>().add(HEADER_BYTES).cast();
            let length = self.length.load(Ordering::Relaxed);
            Some((&*header, std::slice::from_raw_parts(records, length)))
        }
    }

    fn lock(&self) -> Held {
        // SAFETY: only called where there are parts, which have one lock; no caller holds another.
        unsafe { Locks::from_raw(self.locks.load(Ordering::Relaxed)).exclude(0) }
    }

    /// Adds a record at the end and wakes the database's writer. Full also for one that is too long, and where
    /// nothing is preloaded, or the server is a standby.
    pub fn push(&self, database: u32, bytes: &[u8]) -> Result<(), Full> {
        let (header, records) = self.parts().ok_or(Full)?;
        if bytes.len() > BYTES || !databases::is_writable() || !databases::register(database) {
            return Err(Full);
        }
        let lock = self.lock();
        if header.used.load(Ordering::Relaxed) >= records.len() {
            return Err(Full);
        }
        let start = header.next.load(Ordering::Relaxed);
        let place = (0..records.len())
            .map(|step| (start + step) % records.len())
            .find(|place| records[*place].sequence.load(Ordering::Relaxed) == 0)
            .ok_or(Full)?;
        let record = &records[place];
        // SAFETY: the lock is exclusive, and the bytes fit.
        unsafe {
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), record.bytes.get().cast(), bytes.len());
        }
        record.length.store(bytes.len() as u32, Ordering::Relaxed);
        record.database.store(database, Ordering::Relaxed);
        record.sequence.store(
            header.sequence.fetch_add(1, Ordering::Relaxed) + 1,
            Ordering::Relaxed,
        );
        header.used.fetch_add(1, Ordering::Relaxed);
        header.next.store(place + 1, Ordering::Relaxed);
        drop(lock);
        databases::announce(database);
        Ok(())
    }

    /// Copies of a database's oldest records behind a place in the order (0 for all), at most `limit`, oldest first.
    pub fn collect(&self, database: u32, after: u64, limit: usize) -> Vec<Waiting> {
        let Some((_, records)) = self.parts() else {
            return Vec::new();
        };
        let _lock = self.lock();
        let mut found: Vec<(u64, usize)> = records
            .iter()
            .enumerate()
            .filter(|(_, record)| record.database.load(Ordering::Relaxed) == database)
            .map(|(place, record)| (record.sequence.load(Ordering::Relaxed), place))
            .filter(|(sequence, _)| *sequence > after)
            .collect();
        found.sort_unstable();
        found.truncate(limit);
        found
            .into_iter()
            .map(|(sequence, place)| Waiting {
                place,
                sequence,
                bytes: {
                    let length = records[place].length.load(Ordering::Relaxed) as usize;
                    // SAFETY: the lock is exclusive.
                    let bytes = unsafe { &*records[place].bytes.get() };
                    bytes[..length.min(BYTES)].to_vec()
                },
            })
            .collect()
    }

    /// Takes records out, once they are written and committed.
    pub fn release(&self, written: &[Waiting]) {
        let Some((header, records)) = self.parts() else {
            return;
        };
        let _lock = self.lock();
        for one in written {
            free(header, &records[one.place], |sequence| {
                sequence == one.sequence
            });
        }
    }
}

fn free<const BYTES: usize>(
    header: &Header,
    record: &Record<BYTES>,
    is_meant: impl Fn(u64) -> bool,
) {
    let sequence = record.sequence.load(Ordering::Relaxed);
    if sequence != 0 && is_meant(sequence) {
        record.sequence.store(0, Ordering::Relaxed);
        header.used.fetch_sub(1, Ordering::Relaxed);
    }
}

// SAFETY: the bytes of records are touched under the lock only, the rest is atomic.
unsafe impl<const BYTES: usize> Sync for Record<BYTES> {}

impl<const BYTES: usize> Region for Queue<BYTES> {
    fn bytes(&self) -> usize {
        HEADER_BYTES + (self.capacity)() * size_of::<Record<BYTES>>()
    }

    fn locks(&self) -> usize {
        1
    }

    unsafe fn place(&self, memory: *mut u8, locks: Locks) {
        self.length.store((self.capacity)(), Ordering::Relaxed);
        self.locks.store(locks.raw(), Ordering::Relaxed);
        self.header.store(memory.cast(), Ordering::Relaxed);
    }

    fn forget(&self, database: u32) {
        let Some((header, records)) = self.parts() else {
            return;
        };
        let _lock = self.lock();
        for record in records {
            if record.database.load(Ordering::Relaxed) == database {
                free(header, record, |_| true);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_aligned_behind_the_header() {
        assert!(size_of::<Header>() <= HEADER_BYTES);
        assert_eq!(HEADER_BYTES % align_of::<Record<1000>>(), 0);
        assert_eq!(size_of::<Record<1008>>(), 1024);
    }
}
