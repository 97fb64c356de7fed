//! Who hands out the slots of the providers' rate limits.

use std::sync::Arc;

use platform::cache::{Cache, Limiter, Memory};
use platform::config::Rate;

/// A provider asks it for its limiter when it is made.
#[derive(Clone)]
pub struct Slots {
    cache: Arc<dyn Cache>,
    may_wait: usize,
}

impl Slots {
    /// All processes that share `cache` share the limits. Of this process at most `may_wait` callers wait for a
    /// slot of one provider at a time.
    pub fn new(cache: Arc<dyn Cache>, may_wait: usize) -> Self {
        Self { cache, may_wait }
    }

    /// Limits that nobody shares, for a command that asks once.
    pub fn of_this_process() -> Self {
        Self::new(Arc::new(Memory::default()), 1)
    }

    /// The limit `key`, at the rate that `setting` says.
    pub fn limiter(&self, key: impl Into<String>, setting: &'static str, rate: Option<Rate>) -> Limiter {
        Limiter::new(Arc::clone(&self.cache), key, setting, rate, self.may_wait)
    }
}
