//! A cache that speeds decisions up and never makes one: with it empty, slow or gone, nothing is done
//! twice and nothing stops, because the store decides.
//!
//! It also hands out the slots of a rate limit, which many processes share when they share a Redis.

mod limiter;
mod memory;
mod redis;

use std::time::Duration;

use futures::future::BoxFuture;

pub use limiter::{Limiter, PATIENCE, RATE_USED_UP, RateUsedUp};
pub use memory::Memory;
pub use redis::Redis;

/// An answer to [`Cache::slot`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    /// It is taken: wait this long, then go. Zero means now.
    Yours(Duration),
    /// None within the patience, and none was taken. Come back after this long.
    Later(Duration),
}

pub trait Cache: Send + Sync {
    /// Remembers `key` for `ttl`, and says whether it was remembered already, which does not make it stay
    /// longer. False also where nobody can say.
    fn remember<'a>(&'a self, key: &'a str, ttl: Duration) -> BoxFuture<'a, bool>;

    fn forget<'a>(&'a self, key: &'a str) -> BoxFuture<'a, ()>;

    /// The next slot of the limit `key`, which has one every `every`. A slot that is further away than
    /// `patience` is not taken: nobody would come for it.
    fn slot<'a>(&'a self, key: &'a str, every: Duration, patience: Duration) -> BoxFuture<'a, Slot>;
}
