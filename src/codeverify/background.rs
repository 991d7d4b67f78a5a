//! What the background processes that write to a database have in common. Each is connected as the bootstrap
//! superuser and does all that could run somebody else's code as codeverify_owner.

use std::ffi::CStr;

use pgrx::pg_sys;

use super::owner::as_owner;
use super::query::run_script;
use super::user_lock::{self, Purpose};

/// What the database's owner, who need not be a superuser, could set for it so that other code runs here or what runs
/// gets something else to do: ALTER DATABASE ... SET holds for background processes too.
const SETTINGS: [(&CStr, &CStr); 10] = [
    // Operators and functions of another schema would run instead of the server's own.
    (c"search_path", c"pg_catalog, pg_temp"),
    (c"role", c"none"),
    (c"row_security", c"on"),
    (c"session_replication_role", c"origin"),
    (c"standard_conforming_strings", c"on"),
    (c"transform_null_equals", c"off"),
    // An error would end the process, however it is handled.
    (c"exit_on_error", c"off"),
    (c"default_transaction_isolation", c"read committed"),
    (c"default_transaction_read_only", c"off"),
    (c"default_transaction_deferrable", c"off"),
];

/// Fixes the settings that all such processes need, and those of this one.
pub fn fix_settings(own: &[(&CStr, &CStr)]) {
    for (name, value) in SETTINGS.iter().chain(own) {
        // SAFETY: the server copies the strings; none of the values is looked up in a catalog.
        unsafe {
            pg_sys::SetConfigOption(
                name.as_ptr(),
                value.as_ptr(),
                pg_sys::GucContext::PGC_SUSET,
                pg_sys::GucSource::PGC_S_SESSION,
            );
        }
    }
}

/// Does something in a transaction and commits it. It runs as the superuser: only what runs no query may, and the rest
/// belongs into `as_owner_to_the_end`. An error leaves the transaction to who handles it.
pub fn in_transaction<T>(work: impl FnOnce() -> T) -> T {
    // SAFETY: the process has no transaction: this ends each, or the handler of an error does.
    unsafe {
        pg_sys::SetCurrentStatementStartTimestamp();
        pg_sys::StartTransactionCommand();
        pg_sys::PushActiveSnapshot(pg_sys::GetTransactionSnapshot());
    }
    let result = work();
    // SAFETY: ends what was begun above.
    unsafe {
        pg_sys::PopActiveSnapshot();
        pg_sys::CommitTransactionCommand();
    }
    result
}

/// What a lock on the extension is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// To work with its tables; not while somebody removes them.
    Use,
    /// To remove its tables, and perhaps itself: not while background processes work with them.
    Removal,
}

/// Keeps the extension from being removed, or removes it alone, until the transaction ends. Whoever works with the tables
/// unasked takes the lock before any of theirs, and so does whoever drops them all: their orders never meet. It is not
/// the lock of DROP EXTENSION, which anybody may wait for before the server looks at his rights, with everybody who
/// works here behind him.
pub fn hold_extension(hold: Hold) {
    let lock = match hold {
        Hold::Use => pg_sys::ShareLock,
        Hold::Removal => pg_sys::ExclusiveLock,
    };
    let tag = user_lock::tag(Purpose::Extension, 0);
    // SAFETY: the tag lives during the call, which copies it; waiting can be cancelled.
    unsafe { pg_sys::LockAcquire(&tag, lock as pg_sys::LOCKMODE, false, false) };
}

/// Does all of a transaction's work as codeverify_owner, with what triggers had put off until its commit: that would
/// run as the superuser.
pub fn as_owner_to_the_end<T>(work: impl FnOnce() -> T) -> T {
    hold_extension(Hold::Use);
    as_owner(|| {
        let result = work();
        run_script("SET CONSTRAINTS ALL IMMEDIATE");
        result
    })
}
