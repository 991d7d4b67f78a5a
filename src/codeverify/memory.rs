//! Memory of the server for one piece of a long work.

use pgrx::pg_sys;

/// Runs `work` in a memory context of its own, which is freed after it: what it returns must not be in there.
/// After an error the transaction's end frees it.
pub fn in_scratch_memory<T>(work: impl FnOnce() -> T) -> T {
    // SAFETY: the context is made below the current one, which outlives it, and is current only inside.
    unsafe {
        let scratch = pg_sys::AllocSetContextCreateInternal(
            pg_sys::CurrentMemoryContext,
            c"codeverify scratch".as_ptr(),
            pg_sys::ALLOCSET_DEFAULT_MINSIZE as usize,
            pg_sys::ALLOCSET_DEFAULT_INITSIZE as usize,
            pg_sys::ALLOCSET_DEFAULT_MAXSIZE as usize,
        );
        let before = pg_sys::MemoryContextSwitchTo(scratch);
        let result = work();
        pg_sys::MemoryContextSwitchTo(before);
        pg_sys::MemoryContextDelete(scratch);
        result
    }
}
