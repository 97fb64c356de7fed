//! Remembers whether Redis works, so that a Redis that is down does not slow down every call.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use ::redis::RedisResult;

/// How long an answer may take. A cache that takes longer saves no time.
pub(super) const TIMEOUT: Duration = Duration::from_millis(100);
/// How long Redis is not asked after a failure, so that not every call waits for the timeout.
const PAUSE: Duration = Duration::from_secs(1);

#[derive(Default)]
pub(super) struct Health {
    /// Set after a failure, until a command succeeds again.
    paused_until: Mutex<Option<Instant>>,
}

impl Health {
    /// Waits for the answer to `command`. There is none when Redis fails or is too slow, and none for a second after
    /// that.
    pub(super) async fn run<T>(&self, command: impl Future<Output = RedisResult<T>>) -> Option<T> {
        if self.paused_until().is_some_and(|until| Instant::now() < until) {
            return None;
        }
        let problem = match tokio::time::timeout(TIMEOUT, command).await {
            Ok(Ok(answer)) => {
                self.set_paused_until(None);
                return Some(answer);
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => "it took too long".to_owned(),
        };
        if self.paused_until().is_none() {
            tracing::warn!(%problem, "failed to use Redis; this process goes on without it");
        }
        self.set_paused_until(Some(Instant::now() + PAUSE));
        None
    }

    fn paused_until(&self) -> Option<Instant> {
        *self.paused_until.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_paused_until(&self, until: Option<Instant>) {
        *self.paused_until.lock().unwrap_or_else(PoisonError::into_inner) = until;
    }
}
