//! What the extension is doing in the ledger right now. SQL cannot set it, so that triggers can tell
//! the extension's own work from that of a caller who has the same role.

use std::cell::Cell;

/// A piece of the extension's own work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// Writes what a tracked table's change was: reserved actions, and references that are gone already.
    Capture,
    /// Makes, detaches or drops tables of the ledger.
    Maintenance,
}

thread_local! {
    static CURRENT: Cell<Option<Deed>> = const { Cell::new(None) };
}

/// Puts back what was going on before; an error unwinds through it too.
struct Restore(Option<Deed>);

impl Drop for Restore {
    fn drop(&mut self) {
        CURRENT.set(self.0);
    }
}

/// Runs `work` as a deed of the extension.
pub fn acting<T>(deed: Deed, work: impl FnOnce() -> T) -> T {
    let _restore = Restore(CURRENT.replace(Some(deed)));
    work()
}

/// Runs `work` as nothing of the extension's own: what somebody else's code does meanwhile is theirs.
pub fn not_acting<T>(work: impl FnOnce() -> T) -> T {
    let _restore = Restore(CURRENT.replace(None));
    work()
}

/// Whether the extension is doing this now.
pub fn is_acting(deed: Deed) -> bool {
    CURRENT.get() == Some(deed)
}
