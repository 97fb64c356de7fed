//! The cache within one process.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::FutureExt as _;
use futures::future::{BoxFuture, ready};

use super::{Cache, Slot};

/// The highest number of keys that are remembered. The keys that are used least are forgotten first.
const MAX_KEYS: u64 = 100_000;
/// When there are this many limits, those that nobody uses any more are removed.
const MAX_IDLE_LIMITS: usize = 10_000;

pub struct Memory {
    keys: moka::future::Cache<String, Duration>,
    /// The time of the next slot of each limit. The generic cell rate algorithm calls it the theoretical arrival time.
    limits: Mutex<HashMap<String, Instant>>,
}

struct Ttl;

impl moka::Expiry<String, Duration> for Ttl {
    fn expire_after_create(&self, _: &String, ttl: &Duration, _: Instant) -> Option<Duration> {
        Some(*ttl)
    }

    fn expire_after_update(
        &self,
        _: &String,
        ttl: &Duration,
        _: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        Some(*ttl)
    }
}

impl Default for Memory {
    fn default() -> Self {
        let keys = moka::future::Cache::builder().max_capacity(MAX_KEYS).expire_after(Ttl).build();
        Self { keys, limits: Mutex::default() }
    }
}

impl Memory {
    fn slot_at(&self, key: &str, every: Duration, max_wait: Duration, now: Instant) -> Slot {
        let mut limits = self.limits.lock().unwrap_or_else(PoisonError::into_inner);
        if limits.len() >= MAX_IDLE_LIMITS {
            limits.retain(|_, next| *next > now);
        }
        let next = limits.get(key).copied().unwrap_or(now).max(now);
        let wait = next - now;
        if wait > max_wait {
            return Slot::TooFar(wait);
        }
        limits.insert(key.to_owned(), next + every);
        Slot::Granted(wait)
    }
}

impl Cache for Memory {
    fn remember<'a>(&'a self, key: &'a str, ttl: Duration) -> BoxFuture<'a, bool> {
        async move { !self.keys.entry_by_ref(key).or_insert(ttl).await.is_fresh() }.boxed()
    }

    fn forget<'a>(&'a self, key: &'a str) -> BoxFuture<'a, ()> {
        self.keys.invalidate(key).boxed()
    }

    fn slot<'a>(&'a self, key: &'a str, every: Duration, max_wait: Duration) -> BoxFuture<'a, Slot> {
        ready(self.slot_at(key, every, max_wait, Instant::now())).boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test]
    async fn a_key_is_remembered_until_its_time_is_over_or_it_is_forgotten() {
        let cache = Memory::default();
        assert!(!cache.remember("a", SECOND * 60).await);
        assert!(cache.remember("a", SECOND * 60).await);
        cache.forget("a").await;
        assert!(!cache.remember("a", SECOND * 60).await);
        assert!(!cache.remember("gone", Duration::ZERO).await);
        assert!(!cache.remember("gone", Duration::ZERO).await);
    }

    #[test]
    fn slots_are_given_out_one_after_the_other() {
        let (cache, now) = (Memory::default(), Instant::now());
        let slot = |key, now| cache.slot_at(key, SECOND, SECOND * 2, now);
        assert_eq!(slot("a", now), Slot::Granted(Duration::ZERO));
        assert_eq!(slot("a", now), Slot::Granted(SECOND));
        assert_eq!(slot("b", now), Slot::Granted(Duration::ZERO));
        assert_eq!(slot("a", now + SECOND * 9), Slot::Granted(Duration::ZERO));
    }

    #[test]
    fn a_slot_that_is_too_far_away_is_not_taken() {
        let (cache, now) = (Memory::default(), Instant::now());
        let slot = |max_wait| cache.slot_at("a", SECOND, max_wait, now);
        assert_eq!(slot(SECOND), Slot::Granted(Duration::ZERO));
        for _ in 0..3 {
            assert_eq!(slot(SECOND / 2), Slot::TooFar(SECOND));
        }
        assert_eq!(slot(SECOND), Slot::Granted(SECOND));
    }
}
