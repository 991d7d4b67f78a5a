//! What workers of the launcher leave behind when they end: a number each, in shared memory.

use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

use super::timetable::{Outcome, MOST_DATABASES};
use crate::codeverify::shared_memory::lock::Locks;
use crate::codeverify::shared_memory::Region;

const RAN: u32 = 1;
const NOTHING_THERE: u32 = 2;

/// One for each worker that can run at the same time.
pub static OUTCOMES: Outcomes = Outcomes(AtomicPtr::new(ptr::null_mut()));

pub struct Outcomes(AtomicPtr<AtomicU32>);

impl Outcomes {
    /// Forgets what was there, for a worker that is about to be started.
    pub fn clear(&self, place: usize) {
        self.store(place, 0);
    }

    /// To be called by the worker when it is done.
    pub fn set(&self, place: usize, outcome: Outcome) {
        self.store(
            place,
            match outcome {
                Outcome::Ran => RAN,
                Outcome::NothingThere => NOTHING_THERE,
                Outcome::Failed => 0,
            },
        );
    }

    /// What the worker of a place, which has ended, has left there.
    pub fn get(&self, place: usize) -> Outcome {
        match self.at(place).map(|number| number.load(Ordering::Acquire)) {
            Some(RAN) => Outcome::Ran,
            Some(NOTHING_THERE) => Outcome::NothingThere,
            _ => Outcome::Failed,
        }
    }

    fn store(&self, place: usize, number: u32) {
        if let Some(at) = self.at(place) {
            at.store(number, Ordering::Release);
        }
    }

    fn at(&self, place: usize) -> Option<&AtomicU32> {
        let first = NonNull::new(self.0.load(Ordering::Relaxed))?;
        // SAFETY: place() was given as many, which stay as long as the process, and within which this is.
        (place < MOST_DATABASES).then(|| unsafe { first.add(place).as_ref() })
    }
}

impl Region for Outcomes {
    fn bytes(&self) -> usize {
        MOST_DATABASES * size_of::<AtomicU32>()
    }

    fn locks(&self) -> usize {
        0
    }

    unsafe fn place(&self, memory: *mut u8, _locks: Locks) {
        self.0.store(memory.cast(), Ordering::Relaxed);
    }

    fn forget(&self, _database: u32) {}
}
