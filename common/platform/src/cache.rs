//! A cache that makes decisions faster but never makes one, because the store decides. When the cache is empty, slow
//! or away, nothing is done twice and nothing stops.
//!
//! The cache also gives out the slots of rate limits. Processes that share a Redis share its limits.

mod limiter;
mod memory;
mod redis;

use std::time::Duration;

use futures::future::BoxFuture;

pub use limiter::{Limiter, MAX_WAIT, RATE_USED_UP, RateUsedUp};
pub use memory::Memory;
pub use redis::Redis;

/// An answer to [`Cache::slot`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    /// The caller has a slot, which begins after this time. Zero means now.
    Granted(Duration),
    /// The next slot begins after this time, which is longer than the caller would wait. It was not taken.
    TooFar(Duration),
}

pub trait Cache: Send + Sync {
    /// Remembers `key` for `ttl`, and returns whether it was remembered already. In that case it is not remembered
    /// any longer than before. The answer is false, too, when the cache does not work.
    fn remember<'a>(&'a self, key: &'a str, ttl: Duration) -> BoxFuture<'a, bool>;

    fn forget<'a>(&'a self, key: &'a str) -> BoxFuture<'a, ()>;

    /// Takes the next slot of the limit `key`, whose slots are `every` apart. A slot that begins later than
    /// `max_wait` from now is not taken, because the caller would not wait for it.
    fn slot<'a>(&'a self, key: &'a str, every: Duration, max_wait: Duration) -> BoxFuture<'a, Slot>;
}
