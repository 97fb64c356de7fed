//! The kinds of failure. Whoever decides what happens after a failure needs only its kind, not its cause.

use std::time::Duration;

/// The kind of a failure. Each part of the code that talks to the outside (a provider's client, the fetching of
/// a file, the store) assigns a kind to each of its errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The failure may pass by itself. The run is tried again after the next delay of the schedule, and this
    /// counts as an attempt.
    Transient,
    /// The other side asked us to wait at least this long. This does not count as an attempt.
    Throttled(Duration),
    /// The whole destination is down, or it refuses our credentials. The run is parked until the destination
    /// works again, and this does not count as an attempt.
    Unavailable,
    /// Every further attempt would fail in the same way.
    Permanent,
}
