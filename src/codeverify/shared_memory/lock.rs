//! Lightweight locks of the server.

use std::ffi::CStr;

use pgrx::pg_sys;

/// A row of locks.
#[derive(Clone, Copy)]
pub struct Locks(*mut pg_sys::LWLockPadded);

impl Locks {
    /// Those of a tranche that was asked for by name.
    ///
    /// # Safety
    /// To be called when the server's shared memory starts up.
    pub unsafe fn named(name: &CStr) -> Locks {
        // SAFETY: as promised by the caller; the server raises an error for a name it does not know.
        Locks(unsafe { pg_sys::GetNamedLWLockTranche(name.as_ptr()) })
    }

    /// Those after the first `count`.
    pub fn skip(self, count: usize) -> Locks {
        Locks(self.0.wrapping_add(count))
    }

    pub(super) fn from_raw(raw: *mut pg_sys::LWLockPadded) -> Locks {
        Locks(raw)
    }

    pub(super) fn raw(self) -> *mut pg_sys::LWLockPadded {
        self.0
    }

    /// Waits for a lock that others may hold too, if they want no more.
    ///
    /// # Safety
    /// There are more than `number` locks here, and this session holds none of the extension's.
    pub unsafe fn share(self, number: usize) -> Held {
        // SAFETY: as promised by the caller.
        unsafe { self.acquire(number, pg_sys::LWLockMode::LW_SHARED) }
    }

    /// Waits for a lock that nobody else holds.
    ///
    /// # Safety
    /// As for `share`.
    pub unsafe fn exclude(self, number: usize) -> Held {
        // SAFETY: as promised by the caller.
        unsafe { self.acquire(number, pg_sys::LWLockMode::LW_EXCLUSIVE) }
    }

    unsafe fn acquire(self, number: usize, mode: pg_sys::LWLockMode::Type) -> Held {
        // SAFETY: the caller says that there is such a lock. The wait is short and takes no interrupts.
        unsafe {
            let lock = &raw mut (*self.0.add(number)).lock;
            pg_sys::LWLockAcquire(lock, mode);
            Held(lock)
        }
    }
}

/// A lock, until it goes out of scope.
pub struct Held(*mut pg_sys::LWLock);

impl Drop for Held {
    fn drop(&mut self) {
        // SAFETY: acquired above. Where an error of the server unwinds, the server has given up
        // every lock's hold on interrupts already and releases the locks itself.
        unsafe {
            if pg_sys::InterruptHoldoffCount > 0 {
                pg_sys::LWLockRelease(self.0);
            }
        }
    }
}
