//! What a writer does.

/// Writes what has changed of a database since it was last settled: a batch of it, at most.
///
/// It runs in a transaction of its own, as codeverify_owner and with `lock_timeout` set. None when there is
/// nothing to write. If it ends in an error, nothing is settled, the writer goes on with the other steps, and
/// tries again later.
pub type Step = fn(database: u32) -> Option<Batch>;

/// A batch that was written.
pub struct Batch {
    /// What to do once it is committed: `settle` or `release` it.
    pub settle: Box<dyn FnOnce()>,
    /// Whether there may be more, so that the step is to be called again at once.
    pub more: bool,
}

/// Everything that is flushed, under the name that errors are reported with.
pub const STEPS: &[(&str, Step)] = &[];
