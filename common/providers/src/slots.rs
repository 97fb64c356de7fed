//! Makes the limiters that hand out the slots of the providers' rate limits.

use std::sync::Arc;

use platform::cache::{Cache, Limiter, Memory};
use platform::config::Rate;

/// Makes the limiter of each provider, when the provider is made.
#[derive(Clone)]
pub struct Slots {
    cache: Arc<dyn Cache>,
    may_wait: usize,
}

impl Slots {
    /// All processes with the same `cache` share the limits. In this process, at most `may_wait` callers wait for a
    /// slot of one provider at a time.
    pub fn new(cache: Arc<dyn Cache>, may_wait: usize) -> Self {
        Self { cache, may_wait }
    }

    /// Makes limits that no other process shares, for a command that sends only a few requests.
    pub fn of_this_process() -> Self {
        Self::new(Arc::new(Memory::default()), 1)
    }

    /// Makes the limiter `key` with this rate. `setting` is the name of the setting that holds the rate.
    pub fn limiter(&self, key: impl Into<String>, setting: &'static str, rate: Option<Rate>) -> Limiter {
        Limiter::new(Arc::clone(&self.cache), key, setting, rate, self.may_wait)
    }
}
