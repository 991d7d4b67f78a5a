//! Memory that all sessions of the server share, where `shared_preload_libraries` names the library.
//!
//! What is kept here outlives a rollback and makes nobody wait for another's transaction. It is bounded, and
//! it is the sessions' copy of something that is kept in a table: a background worker (`codeverify::worker`)
//! writes what has changed there. Without preloading nothing of this exists: `is_available()` says so,
//! and each subject then has a slower way that works on tables.
//!
//! Two shapes, each a `static` of the module whose subject it is, all of them listed in [`REGIONS`]:
//!
//! - [`table::Table`]: slots found by [`slots::Key`] (a database and 128 bits), of a type of atomics
//!   ([`slots::Value`]). Looked up under a shared lock; an exclusive one is taken to insert. A slot that was
//!   changed stays until it has been flushed, others make room for new ones. Where all that could make room
//!   are changed, insertion says [`slots::Full`], and the caller goes the slower way.
//!
//!   ```ignore
//!   static ATTEMPTS: Table<Attempts> = Table::new(settings::attempt_slots);
//!
//!   // Under the lock: no call into the server, no allocation that may be large, nothing that may fail.
//!   let failures = ATTEMPTS.with(key, |slot| {              // None: not there
//!       slot.changed();                                     // wakes the writer of this database
//!       slot.failures.fetch_add(1, Ordering::Relaxed) + 1
//!   });
//!   let failures = ATTEMPTS.with_or_insert(key,             // Err(Full)
//!       |fresh| fresh.failures.store(loaded, Ordering::Relaxed),
//!       |slot| slot.failures.load(Ordering::Relaxed))?;
//!
//!   // In a flush step (codeverify::worker::step): read, write and commit, then settle.
//!   let changed = ATTEMPTS.collect(database, 1000, |value| value.failures.load(Ordering::Relaxed));
//!   ATTEMPTS.settle(database, changed.iter().map(|one| (one.id, one.version)));
//!   ```
//! - [`queue::Queue`]: records of up to about a kilobyte, such as JSON, that a flush step takes out.

pub mod databases;
pub mod lock;
pub mod queue;
pub mod slots;
pub mod table;

use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};

use pgrx::{pg_guard, pg_sys};

use self::lock::Locks;
use crate::auth::rate_limits::{memory, uses};
use crate::auth::{lockout, outcomes};
use crate::codeverify::maintenance::outcomes::OUTCOMES;

/// Everything that has its place in shared memory.
const REGIONS: &[&dyn Region] = &[
    &databases::DATABASES,
    &memory::BUCKETS,
    &uses::USES,
    &lockout::ATTEMPTS,
    &outcomes::OUTCOMES,
    &outcomes::COUNTS,
    &OUTCOMES,
];

const NAME: &std::ffi::CStr = c"codeverify";

/// A part of the shared memory. Its size must not change between the two times that it is asked for, when
/// the server starts: it depends on settings that only a start sets.
pub trait Region: Sync {
    fn bytes(&self) -> usize;
    fn locks(&self) -> usize;
    /// Takes its place. The memory holds zeros.
    ///
    /// # Safety
    /// `memory` has as many bytes as were asked for, is aligned for any type of this extension, and stays
    /// until the process ends or the function is called anew.
    unsafe fn place(&self, memory: *mut u8, locks: Locks);
    /// Drops what belongs to a database that is gone.
    fn forget(&self, database: u32);
}

static IS_PLACED: AtomicBool = AtomicBool::new(false);

/// Whether there is any shared memory: whether the server loaded the library when it started.
pub fn is_available() -> bool {
    IS_PLACED.load(Ordering::Relaxed)
}

/// Drops what belongs to a database that is gone, or has no such extension any more.
pub fn forget(database: u32) {
    for region in REGIONS {
        region.forget(database);
    }
}

static mut NEXT_REQUEST_HOOK: pg_sys::shmem_request_hook_type = None;
static mut NEXT_STARTUP_HOOK: pg_sys::shmem_startup_hook_type = None;

/// Asks the server for memory and locks. To be called from `_PG_init` while the server loads its libraries.
pub fn reserve() {
    // SAFETY: the postmaster calls this once, on its one thread, before it has any sessions.
    unsafe {
        NEXT_REQUEST_HOOK = pg_sys::shmem_request_hook;
        pg_sys::shmem_request_hook = Some(request);
        NEXT_STARTUP_HOOK = pg_sys::shmem_startup_hook;
        pg_sys::shmem_startup_hook = Some(start_up);
    }
}

/// Each region begins at a multiple of this: a cache line, and enough for any type.
const ALIGNMENT: usize = 128;

fn room(region: &dyn Region) -> usize {
    region.bytes().next_multiple_of(ALIGNMENT)
}

fn total() -> usize {
    REGIONS.iter().map(|region| room(*region)).sum::<usize>() + ALIGNMENT
}

#[pg_guard]
unsafe extern "C-unwind" fn request() {
    let locks: usize = REGIONS.iter().map(|region| region.locks()).sum();
    // SAFETY: called by the server when libraries ask for memory; the hook before this one goes first.
    unsafe {
        if let Some(next) = NEXT_REQUEST_HOOK {
            next();
        }
        pg_sys::RequestAddinShmemSpace(total());
        pg_sys::RequestNamedLWLockTranche(
            NAME.as_ptr(),
            i32::try_from(locks).expect("a few hundred locks"),
        );
    }
}

/// Runs when the server starts, and again when it has ended all sessions after one of them crashed: then the
/// memory is new, and may lie elsewhere.
#[pg_guard]
unsafe extern "C-unwind" fn start_up() {
    // SAFETY: called by the server when the memory that was asked for is there; the hook before this one goes first.
    unsafe {
        if let Some(next) = NEXT_STARTUP_HOOK {
            next();
        }
        let mut found = false;
        let memory = pg_sys::ShmemInitStruct(NAME.as_ptr(), total(), &mut found).cast::<u8>();
        // Only the postmaster comes here, so that nobody else can be using what it has just got.
        ptr::write_bytes(memory, 0, total());
        let mut at = memory.align_offset(ALIGNMENT);
        let mut locks = Locks::named(NAME);
        for region in REGIONS {
            region.place(memory.add(at), locks);
            at += room(*region);
            locks = locks.skip(region.locks());
        }
    }
    IS_PLACED.store(true, Ordering::Relaxed);
}
