//! Work that is undone.

use std::panic::AssertUnwindSafe;

use pgrx::pg_sys;
use pgrx::PgTryBuilder;

/// Does `work` in a subtransaction of its own, and undoes what it wrote unless `keeps`.
pub fn attempt<T>(keeps: bool, work: impl FnOnce() -> T) -> T {
    // SAFETY: what PL/pgSQL does around a block with EXCEPTION: the memory context and the resource owner are put
    // back, since the subtransaction has its own.
    let (context, owner) = unsafe {
        let before = (pg_sys::CurrentMemoryContext, pg_sys::CurrentResourceOwner);
        pg_sys::BeginInternalSubTransaction(std::ptr::null());
        pg_sys::MemoryContextSwitchTo(before.0);
        before
    };
    let end = |keeps: bool| {
        // SAFETY: ends the subtransaction that was begun above, which is the innermost one: those that `work`
        // begins it ends.
        unsafe {
            if keeps {
                pg_sys::ReleaseCurrentSubTransaction();
            } else {
                pg_sys::RollbackAndReleaseCurrentSubTransaction();
            }
            pg_sys::MemoryContextSwitchTo(context);
            pg_sys::CurrentResourceOwner = owner;
        }
    };
    let result = PgTryBuilder::new(AssertUnwindSafe(work))
        .catch_others(|error| {
            // Whoever handles the error finds its own subtransaction the innermost one again.
            end(false);
            error.rethrow()
        })
        .execute();
    end(keeps);
    result
}
