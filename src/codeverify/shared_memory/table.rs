//! A bounded table in shared memory.

use std::cell::Cell;
use std::hash::Hasher;
use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::atomic::{AtomicPtr, AtomicU64, AtomicUsize, Ordering};

use pgrx::pg_sys;
use siphasher::sip::SipHasher13;

use super::lock::{Held, Locks};
use super::slots::{claim, find, Full, Key, Slot, Value, WAYS};
use super::{databases, Region};

/// Parts of a table, each with a lock of its own.
const PARTITIONS: usize = 16;

/// Slots found by a key; see the module above on how it is used.
pub struct Table<V> {
    capacity: fn() -> usize,
    header: AtomicPtr<Header>,
    slots: AtomicPtr<u8>,
    sets: AtomicUsize,
    locks: AtomicPtr<pg_sys::LWLockPadded>,
    values: PhantomData<V>,
}

/// What the places of keys depend on. Nobody outside knows it, so nobody can choose keys for one set.
#[repr(C)]
struct Header {
    seed: [AtomicU64; 2],
    evictions: AtomicU64,
}

/// Sets of each partition that give room for `capacity` slots.
fn sets_of_partition(capacity: usize) -> usize {
    capacity.div_ceil(WAYS * PARTITIONS).max(1)
}

impl<V: Value> Table<V> {
    /// A table of as many slots as `capacity` says when the server starts, or a few more.
    pub const fn new(capacity: fn() -> usize) -> Table<V> {
        Table {
            capacity,
            header: AtomicPtr::new(std::ptr::null_mut()),
            slots: AtomicPtr::new(std::ptr::null_mut()),
            sets: AtomicUsize::new(0),
            locks: AtomicPtr::new(std::ptr::null_mut()),
            values: PhantomData,
        }
    }

    fn slots_bytes(&self) -> usize {
        sets_of_partition((self.capacity)()) * PARTITIONS * WAYS * size_of::<Slot<V>>()
    }

    fn locks(&self) -> Locks {
        Locks::from_raw(self.locks.load(Ordering::Relaxed))
    }

    /// The slots of a partition; none where nothing is preloaded.
    fn partition(&self, number: usize) -> &[Slot<V>] {
        let slots = self.slots.load(Ordering::Relaxed).cast::<Slot<V>>();
        if slots.is_null() {
            return &[];
        }
        let length = self.sets.load(Ordering::Relaxed) * WAYS;
        // SAFETY: place() was given room for this many slots of each partition; zeros are valid slots, and
        // all of a slot is atomic.
        unsafe { std::slice::from_raw_parts(slots.add(number * length), length) }
    }

    fn header(&self) -> &Header {
        // SAFETY: set together with the slots, which the callers have found to be there.
        unsafe { &*self.header.load(Ordering::Relaxed) }
    }

    /// Partition, set and first slot to try.
    fn place_of(&self, key: Key) -> (usize, usize, usize) {
        let header = self.header();
        let seed = |half: usize| header.seed[half].load(Ordering::Relaxed);
        let mut hasher = SipHasher13::new_with_keys(seed(0), seed(1));
        hasher.write_u128(key.id);
        hasher.write_u32(key.database);
        let hash = hasher.finish() as usize;
        let sets = self.sets.load(Ordering::Relaxed);
        (
            hash % PARTITIONS,
            hash / PARTITIONS % sets,
            hash / PARTITIONS / sets % WAYS,
        )
    }

    fn set(&self, partition: usize, set: usize) -> &[Slot<V>] {
        &self.partition(partition)[set * WAYS..(set + 1) * WAYS]
    }

    fn is_placed(&self) -> bool {
        !self.slots.load(Ordering::Relaxed).is_null()
    }

    fn share(&self, partition: usize) -> Held {
        // SAFETY: only called where the table has its place, with as many locks as partitions. No caller
        // holds another: what is given to these functions does not come back here.
        unsafe { self.locks().share(partition) }
    }

    fn exclude(&self, partition: usize) -> Held {
        // SAFETY: as above.
        unsafe { self.locks().exclude(partition) }
    }

    /// Does something with a slot under its lock, and tells the writer afterwards if there is something to tell.
    fn work_on<R>(slot: &Slot<V>, key: Key, lock: Held, work: impl FnOnce(&Entry<V>) -> R) -> R {
        let entry = Entry::new(slot);
        let result = work(&entry);
        let announce = entry.announce.get();
        drop(lock);
        if announce {
            databases::announce(key.database);
        }
        result
    }

    /// Does something with a key's value, together with whoever else does; None for a key that has no slot.
    /// `work` must not call into the server, nor use any table.
    pub fn with<R>(&self, key: Key, work: impl FnOnce(&Entry<V>) -> R) -> Option<R> {
        if !self.is_placed() {
            return None;
        }
        let (partition, set, _) = self.place_of(key);
        let lock = self.share(partition);
        let slot = find(self.set(partition, set), key)?;
        Some(Self::work_on(slot, key, lock, work))
    }

    /// As `with`, but alone: nobody else uses or changes values of the partition meanwhile.
    pub fn with_alone<R>(&self, key: Key, work: impl FnOnce(&Entry<V>) -> R) -> Option<R> {
        if !self.is_placed() {
            return None;
        }
        let (partition, set, _) = self.place_of(key);
        let lock = self.exclude(partition);
        let slot = find(self.set(partition, set), key)?;
        Some(Self::work_on(slot, key, lock, work))
    }

    /// Does something with a key's value, if it has a slot; else has values be loaded again that were loaded for slots
    /// before this (`with_or_insert_since`).
    pub fn invalidate(&self, key: Key, work: impl FnOnce(&V)) {
        if !self.is_placed() {
            return;
        }
        let (partition, set, _) = self.place_of(key);
        let _lock = self.share(partition);
        match find(self.set(partition, set), key) {
            Some(slot) => work(&slot.value),
            None => self.count_eviction(),
        }
    }

    /// As `with_alone`, but a key without a slot gets one, which `fill` fills in.
    pub fn with_or_insert<R>(
        &self,
        key: Key,
        fill: impl FnOnce(&V),
        work: impl FnOnce(&Entry<V>) -> R,
    ) -> Result<R, Full> {
        // A database that no writer can be found for must not have anything to be flushed.
        if !self.is_placed() || !databases::register(key.database) {
            return Err(Full);
        }
        let (partition, set, start) = self.place_of(key);
        let lock = self.exclude(partition);
        let slots = self.set(partition, set);
        let slot = match find(slots, key) {
            Some(slot) => slot,
            None => {
                let slot = self.claim(slots, key, start)?;
                fill(&slot.value);
                slot
            }
        };
        Ok(Self::work_on(slot, key, lock, work))
    }

    /// As `with_or_insert`, for values that are loaded from a table before: a key without a slot gets one only if
    /// none has been taken from any key since there were `evictions`. Else what was loaded may be older than
    /// what the slot held when it was flushed: nothing is done, and it has to be loaded again.
    pub fn with_or_insert_since(
        &self,
        key: Key,
        evictions: u64,
        fill: impl FnOnce(&V),
        work: impl FnOnce(&Entry<V>),
    ) -> Result<(), Full> {
        if !self.is_placed() || !databases::register(key.database) {
            return Err(Full);
        }
        let (partition, set, start) = self.place_of(key);
        let lock = self.exclude(partition);
        let slots = self.set(partition, set);
        let slot = match find(slots, key) {
            Some(slot) => slot,
            None if self.evictions() != evictions => return Ok(()),
            None => {
                let slot = self.claim(slots, key, start)?;
                fill(&slot.value);
                slot
            }
        };
        Self::work_on(slot, key, lock, work);
        Ok(())
    }

    fn claim<'a>(&self, set: &'a [Slot<V>], key: Key, start: usize) -> Result<&'a Slot<V>, Full> {
        let has_room = set.iter().any(|slot| slot.key().is_none());
        let slot = claim(set, key, start)?;
        if !has_room {
            self.count_eviction();
        }
        Ok(slot)
    }

    fn count_eviction(&self) {
        self.header().evictions.fetch_add(1, Ordering::SeqCst);
    }

    /// How many slots have been taken from their keys, ever.
    pub fn evictions(&self) -> u64 {
        if self.is_placed() {
            self.header().evictions.load(Ordering::SeqCst)
        } else {
            0
        }
    }

    /// What has to be flushed of a database, at most `limit` of it, as `read` sees it.
    pub fn collect<S>(
        &self,
        database: u32,
        limit: usize,
        read: impl Fn(&V) -> S,
    ) -> Vec<Changed<S>> {
        self.collect_due(database, limit, |value| Some(read(value)))
    }

    /// As `collect`; what `read` says None of waits for another time.
    pub fn collect_due<S>(
        &self,
        database: u32,
        limit: usize,
        mut read: impl FnMut(&V) -> Option<S>,
    ) -> Vec<Changed<S>> {
        let mut found = Vec::new();
        if !self.is_placed() {
            return found;
        }
        for number in 0..PARTITIONS {
            let _lock = self.share(number);
            for slot in self.partition(number) {
                if found.len() == limit {
                    return found;
                }
                let Some(key) = slot.key().filter(|key| key.database == database) else {
                    continue;
                };
                // Before the value, so that what changes meanwhile is seen as changed since.
                let version = slot.version();
                if slot.is_changed() {
                    found.extend(read(&slot.value).map(|value| Changed {
                        id: key.id,
                        version,
                        value,
                    }));
                }
            }
        }
        found
    }

    /// Notes what was flushed and committed: ids and versions of `collect`.
    pub fn settle(&self, database: u32, flushed: impl IntoIterator<Item = (u128, u64)>) {
        let mut changed_since = false;
        for (id, version) in flushed {
            let key = Key { database, id };
            let (partition, set, _) = self.place_of(key);
            let _lock = self.share(partition);
            if let Some(slot) = find(self.set(partition, set), key) {
                changed_since |= !slot.settle(version);
            }
        }
        if changed_since {
            databases::announce(database);
        }
    }
}

impl<V: Value> Region for Table<V> {
    fn bytes(&self) -> usize {
        HEADER_BYTES + self.slots_bytes()
    }

    fn locks(&self) -> usize {
        PARTITIONS
    }

    unsafe fn place(&self, memory: *mut u8, locks: Locks) {
        // SAFETY: the memory has room for a header and the slots after it, holds zeros, which are a valid
        // header, and is aligned for both.
        let header = unsafe { &*memory.cast::<Header>() };
        for half in &header.seed {
            // Without randomness the places of keys can be guessed, which costs time and nothing else.
            half.store(getrandom::u64().unwrap_or_default(), Ordering::Relaxed);
        }
        self.header.store(memory.cast(), Ordering::Relaxed);
        self.sets
            .store(sets_of_partition((self.capacity)()), Ordering::Relaxed);
        self.locks.store(locks.raw(), Ordering::Relaxed);
        // SAFETY: inside the memory, as above.
        self.slots
            .store(unsafe { memory.add(HEADER_BYTES) }, Ordering::Relaxed);
    }

    fn forget(&self, database: u32) {
        if !self.is_placed() {
            return;
        }
        for number in 0..PARTITIONS {
            let _lock = self.exclude(number);
            for slot in self.partition(number) {
                if slot.key().is_some_and(|key| key.database == database) {
                    slot.free();
                    self.count_eviction();
                }
            }
        }
    }
}

/// The header's room, which leaves the slots aligned.
const HEADER_BYTES: usize = 64;

/// A value to be flushed.
pub struct Changed<S> {
    pub id: u128,
    /// What `settle` wants to know.
    pub version: u64,
    pub value: S,
}

/// A key's value, while its lock is held.
pub struct Entry<'a, V> {
    slot: &'a Slot<V>,
    announce: Cell<bool>,
}

impl<'a, V> Entry<'a, V> {
    fn new(slot: &'a Slot<V>) -> Self {
        slot.touch();
        Entry {
            slot,
            announce: Cell::new(false),
        }
    }

    /// Says that the value is changed by what holds it, and has to be flushed. On a standby, which writes
    /// nothing, it says nothing: the slot makes room for others like one that was only read.
    pub fn changed(&self) {
        if databases::is_writable() && self.slot.change() {
            self.announce.set(true);
        }
    }
}

impl<V> Deref for Entry<'_, V> {
    type Target = V;

    fn deref(&self) -> &V {
        &self.slot.value
    }
}
