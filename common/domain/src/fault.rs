//! What a failure means for whoever has to decide what happens next.

use std::time::Duration;

/// The kind of a failure. Every edge (a provider, a fetch, the store) assigns one to each of its errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// May pass by itself: tried again after the next delay of the schedule. Spends an attempt.
    Transient,
    /// The other side asked us to wait at least this long. Spends no attempt.
    Throttled(Duration),
    /// The destination as a whole is down or refuses our credentials: the run is parked. Spends no attempt.
    Unavailable,
    /// Will fail the same way every time.
    Permanent,
}
