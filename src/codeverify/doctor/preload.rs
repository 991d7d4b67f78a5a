//! Whether the server loaded the library when it started.

use std::sync::atomic::{AtomicBool, Ordering};

static PRELOADED: AtomicBool = AtomicBool::new(false);

/// Remembers how the library was loaded; the processes that the server forks know it too.
pub fn note(preloaded: bool) {
    PRELOADED.store(preloaded, Ordering::Relaxed);
}

/// Whether shared_preload_libraries named it.
pub fn is_preloaded() -> bool {
    PRELOADED.load(Ordering::Relaxed)
}
