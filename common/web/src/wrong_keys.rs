//! Counts the wrong keys that come from each address. Who has shown many is told to wait before the next one.
//!
//! Only the answer to a further wrong key changes. A right key is always accepted, because many clients can share one
//! address, for example behind a load balancer.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use moka::future::Cache;

/// How many wrong keys an address may show at once.
pub(crate) const WRONG_KEYS_AT_ONCE: NonZeroU32 = NonZeroU32::new(20).expect("it is above zero");
/// How long it takes until an address may show one more wrong key.
const ONE_MORE_AFTER: Duration = Duration::from_secs(3);
/// How many addresses are remembered. The least used ones are forgotten first.
const REMEMBERED_ADDRESSES: u64 = 10_000;
/// After this time without a wrong key an address may show as many as at the beginning. So it can be forgotten.
const REMEMBERED_FOR: Duration = Duration::from_mins(1);

pub(crate) struct WrongKeys {
    counts: Cache<IpAddr, Arc<DefaultDirectRateLimiter>>,
}

impl WrongKeys {
    pub(crate) fn new() -> Self {
        let counts = Cache::builder().max_capacity(REMEMBERED_ADDRESSES).time_to_idle(REMEMBERED_FOR).build();
        Self { counts }
    }

    /// Counts a wrong key from this address. Returns how long the address should wait, once there were too many.
    pub(crate) async fn count(&self, address: IpAddr) -> Option<Duration> {
        let fresh = async {
            let quota = Quota::with_period(ONE_MORE_AFTER)?.allow_burst(WRONG_KEYS_AT_ONCE);
            Some(Arc::new(RateLimiter::direct(quota)))
        };
        let count = self.counts.optionally_get_with(address, fresh).await?;
        let until = count.check().err()?;
        Some(until.wait_time_from(DefaultClock::default().now()))
    }
}
