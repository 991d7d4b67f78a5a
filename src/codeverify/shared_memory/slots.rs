//! Sets of slots: which slot a key has, which one makes room for another, and which have changes to be flushed.
//!
//! No lock is taken here. Finding a slot and changing its value takes that nobody claims one of the same set
//! meanwhile; claiming one takes that nobody else is there.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// Slots of a set: as many as a look-up compares at most.
pub const WAYS: usize = 8;

/// What a slot is found by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// The oid of a database, not 0.
    pub database: u32,
    /// A uuid, or 128 bits of a hash.
    pub id: u128,
}

/// Every slot that could make room has changes that are not flushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

/// What a slot holds: atomics, because sessions change it under a shared lock.
///
/// # Safety
/// Bytes of zeros are a valid value. There is no reference or pointer inside, and dropping it does nothing.
pub unsafe trait Value: Sync {
    /// Makes it what zeros are.
    fn clear(&self);
}

/// A place for one key's value.
#[repr(C)]
pub struct Slot<V> {
    /// 0 for a slot that is free.
    database: AtomicU32,
    /// Whether it was used since room was last made in its set.
    referenced: AtomicU32,
    high: AtomicU64,
    low: AtomicU64,
    /// Counts the changes; what `flushed` says of them is in the table.
    version: AtomicU64,
    flushed: AtomicU64,
    pub value: V,
}

impl<V> Slot<V> {
    pub fn key(&self) -> Option<Key> {
        let database = self.database.load(Ordering::Relaxed);
        (database != 0).then(|| Key {
            database,
            id: u128::from(self.high.load(Ordering::Relaxed)) << 64
                | u128::from(self.low.load(Ordering::Relaxed)),
        })
    }

    fn set_key(&self, key: Key) {
        self.high.store((key.id >> 64) as u64, Ordering::Relaxed);
        self.low.store(key.id as u64, Ordering::Relaxed);
        self.database.store(key.database, Ordering::Relaxed);
    }

    /// Says that it is in use, so that others make room first.
    pub fn touch(&self) {
        // A slot that everybody uses must not be written by everybody.
        if self.referenced.load(Ordering::Relaxed) == 0 {
            self.referenced.store(1, Ordering::Relaxed);
        }
    }

    /// Notes a change that was made, or is about to be under the same lock. True if there was none to be
    /// flushed before: then the writer has to be told.
    pub fn change(&self) -> bool {
        // In one order with the two of settle(): one side or the other sees that the slot is changed again.
        let before = self.version.fetch_add(1, Ordering::SeqCst);
        self.flushed.load(Ordering::SeqCst) == before
    }

    pub fn is_changed(&self) -> bool {
        self.version.load(Ordering::SeqCst) != self.flushed.load(Ordering::SeqCst)
    }

    /// Which changes a flush that reads the value after this will have seen.
    pub fn version(&self) -> u64 {
        self.version.load(Ordering::SeqCst)
    }

    /// Notes that the changes up to `version` are in the table. False if there are others since.
    pub fn settle(&self, version: u64) -> bool {
        self.flushed.store(version, Ordering::SeqCst);
        self.version.load(Ordering::SeqCst) == version
    }
}

impl<V: Value> Slot<V> {
    /// Makes the slot free, whatever it holds.
    pub fn free(&self) {
        self.database.store(0, Ordering::Relaxed);
        self.referenced.store(0, Ordering::Relaxed);
        self.version.store(0, Ordering::SeqCst);
        self.flushed.store(0, Ordering::SeqCst);
        self.value.clear();
    }
}

/// The slot of a key.
pub fn find<V>(set: &[Slot<V>], key: Key) -> Option<&Slot<V>> {
    set.iter().find(|slot| slot.key() == Some(key))
}

/// A slot for a key that has none, with a cleared value. Slots are tried from the one numbered `start` on.
pub fn claim<V: Value>(set: &[Slot<V>], key: Key, start: usize) -> Result<&Slot<V>, Full> {
    let states: Vec<State> = set.iter().map(State::of).collect();
    let slot = choose(&states, start)
        .map(|place| &set[place])
        .ok_or(Full)?;
    if slot.key().is_some() {
        for other in set {
            other.referenced.store(0, Ordering::Relaxed);
        }
    }
    slot.free();
    slot.set_key(key);
    slot.touch();
    Ok(slot)
}

/// What matters of a slot when room is to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Free,
    Idle,
    InUse,
    Changed,
}

impl State {
    fn of<V>(slot: &Slot<V>) -> State {
        if slot.key().is_none() {
            State::Free
        } else if slot.is_changed() {
            State::Changed
        } else if slot.referenced.load(Ordering::Relaxed) == 0 {
            State::Idle
        } else {
            State::InUse
        }
    }
}

/// A free slot, or one that was not used since room was last made, or any that has nothing to be flushed.
fn choose(states: &[State], start: usize) -> Option<usize> {
    [State::Free, State::Idle, State::InUse]
        .into_iter()
        .find_map(|wanted| {
            (0..states.len())
                .map(|step| (start + step) % states.len())
                .find(|place| states[*place] == wanted)
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    #[derive(Default)]
    struct Number(AtomicU64);

    // SAFETY: an atomic number.
    unsafe impl Value for Number {
        fn clear(&self) {
            self.0.store(0, Ordering::Relaxed);
        }
    }

    fn set() -> Vec<Slot<Number>> {
        (0..WAYS)
            .map(|_| Slot {
                database: AtomicU32::new(0),
                referenced: AtomicU32::new(0),
                high: AtomicU64::new(0),
                low: AtomicU64::new(0),
                version: AtomicU64::new(0),
                flushed: AtomicU64::new(0),
                value: Number::default(),
            })
            .collect()
    }

    fn key(id: u128) -> Key {
        Key { database: 5, id }
    }

    #[test]
    fn a_key_is_a_database_and_all_128_bits() {
        let set = set();
        let ids = [0, 1, 1 << 64, u128::MAX];
        for id in ids {
            claim(&set, key(id), 3)
                .expect("room")
                .value
                .0
                .store(id as u64 ^ 7, Ordering::Relaxed);
        }
        for id in ids {
            let found = find(&set, key(id)).expect("it");
            assert_eq!(found.key(), Some(key(id)));
            assert_eq!(found.value.0.load(Ordering::Relaxed), id as u64 ^ 7);
        }
        assert!(find(&set, Key { database: 6, id: 1 }).is_none());
        assert!(find(&set, key(2)).is_none());
    }

    #[test]
    fn what_is_changed_makes_no_room() {
        let set = set();
        for id in 0..WAYS as u128 {
            assert!(claim(&set, key(id), 0).expect("room").change());
        }
        assert_eq!(claim(&set, key(99), 0).err(), Some(Full));
        let third = find(&set, key(3)).expect("it");
        assert!(third.settle(third.version()));
        let claimed = claim(&set, key(99), 0).expect("the room of the settled one");
        assert!(std::ptr::eq(claimed, third));
        assert!(!claimed.is_changed());
        assert!(find(&set, key(3)).is_none());
    }

    #[test]
    fn what_was_used_makes_room_last() {
        let set = set();
        for id in 0..WAYS as u128 {
            claim(&set, key(id), 0).expect("room");
        }
        // All are in use: one goes, and the others have to show anew that they are.
        claim(&set, key(100), 2).expect("room");
        assert!(find(&set, key(2)).is_none());
        for id in [0, 1, 3, 4, 5, 7] {
            find(&set, key(id)).expect("it").touch();
        }
        claim(&set, key(101), 0).expect("room");
        assert!(find(&set, key(6)).is_none());
        assert!(find(&set, key(100)).is_some());
    }

    #[test]
    fn a_change_during_a_flush_is_seen_by_one_side() {
        let set = set();
        let slot = claim(&set, key(1), 0).expect("room");
        assert!(slot.change(), "the writer is told");
        assert!(!slot.change(), "once");
        let version = slot.version();
        assert!(!slot.change());
        assert!(!slot.settle(version), "the flush sees the change after it");
        assert!(slot.is_changed());
        assert!(slot.settle(slot.version()));
        assert!(!slot.is_changed());
        assert!(slot.change(), "told anew");
    }

    #[test]
    fn a_freed_slot_holds_nothing() {
        let set = set();
        let slot = claim(&set, key(1), 0).expect("room");
        slot.value.0.store(9, Ordering::Relaxed);
        slot.change();
        slot.free();
        assert_eq!(slot.key(), None);
        assert!(!slot.is_changed());
        assert_eq!(slot.value.0.load(Ordering::Relaxed), 0);
    }

    proptest! {
        #[test]
        fn changed_values_are_never_lost(steps in prop::collection::vec((0u128..24, 0usize..64, any::<bool>()), 1..400)) {
            let set = set();
            // What the table would hold, and what must still be in memory.
            let mut unflushed: HashMap<u128, u64> = HashMap::new();
            for (id, start, flush) in steps {
                if flush {
                    if let Some(slot) = find(&set, key(id)) {
                        slot.settle(slot.version());
                        unflushed.remove(&id);
                    }
                    continue;
                }
                let slot = match find(&set, key(id)) {
                    Some(slot) => Ok(slot),
                    None => claim(&set, key(id), start),
                };
                match slot {
                    Ok(slot) => {
                        let value = slot.value.0.fetch_add(1, Ordering::Relaxed) + 1;
                        slot.change();
                        unflushed.insert(id, value);
                    }
                    Err(Full) => prop_assert_eq!(unflushed.len(), WAYS),
                }
                for (id, value) in &unflushed {
                    let slot = find(&set, key(*id));
                    prop_assert_eq!(slot.map(|slot| slot.value.0.load(Ordering::Relaxed)), Some(*value));
                }
            }
        }
    }
}
