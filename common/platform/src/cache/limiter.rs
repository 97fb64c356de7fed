//! Limits how many requests we send to a provider in a given time. It works before a request is sent.
//!
//! When the next slot is near, the run waits for it. When it is far away, the run ends and comes back later. Only
//! some of the runs of a process may wait at the same time, so that the runs that need no slot can still work.

use std::sync::Arc;
use std::time::Duration;

use domain::fault::Fault;
use domain::refusal::{Code, Refusal, Remote, Sent};
use tokio::sync::Semaphore;

use super::{Cache, Slot};
use crate::config::Rate;

/// How long a run waits for a slot. It comes back later when the slot is further away.
pub const MAX_WAIT: Duration = Duration::from_secs(10);

pub struct Limiter {
    cache: Arc<dyn Cache>,
    key: String,
    setting: &'static str,
    /// Without a rate there is no limit.
    rate: Option<Rate>,
    /// Has a permit for each caller that may wait.
    waiting: Semaphore,
}

/// The next slot is too far away to wait for it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("failed to send: the rate that {setting} allows is used up for {} s", .wait.as_secs())]
pub struct RateUsedUp {
    setting: &'static str,
    /// The time until the next slot.
    pub wait: Duration,
}

/// The code of a run that waits because of a limit of our own.
pub const RATE_USED_UP: Code = Code::new("rate_used_up");

impl RateUsedUp {
    /// As a refusal of the remote system that the limit protects.
    pub fn refusal(&self, remote: &Remote) -> Refusal {
        Refusal {
            fault: Fault::Throttled(self.wait),
            code: RATE_USED_UP,
            destination: remote.destination.clone(),
            retry_after: None,
            sent: Sent::No,
            text: self.to_string(),
        }
    }
}

impl Limiter {
    /// The limit `key`, which all processes with the same cache share. `setting` is the name of the setting that
    /// holds `rate`. At most `max_waiting` callers wait at the same time; any other caller must find a free slot.
    pub fn new(
        cache: Arc<dyn Cache>,
        key: impl Into<String>,
        setting: &'static str,
        rate: Option<Rate>,
        max_waiting: usize,
    ) -> Self {
        Self { cache, key: key.into(), setting, rate, waiting: Semaphore::new(max_waiting) }
    }

    /// Takes the next slot and waits for it, if it is near. Send the request right after this.
    pub async fn slot(&self) -> Result<(), RateUsedUp> {
        self.slots(1).await
    }

    /// Takes `count` slots in a row and waits for the first, if it is near. Work with several requests uses this when
    /// it has to begin again after it was given up between two of them.
    pub async fn slots(&self, count: u32) -> Result<(), RateUsedUp> {
        let Some(rate) = self.rate else { return Ok(()) };
        let permit = self.waiting.try_acquire();
        let max_wait = if permit.is_ok() { MAX_WAIT } else { Duration::ZERO };
        match self.cache.slot(&self.key, rate.every().saturating_mul(count), max_wait).await {
            Slot::Granted(Duration::ZERO) => Ok(()),
            Slot::Granted(wait) => {
                tokio::time::sleep(wait).await;
                Ok(())
            }
            Slot::TooFar(wait) => Err(RateUsedUp { setting: self.setting, wait }),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use futures::future::join_all;

    use super::super::Memory;
    use super::*;

    fn limiter(rate: &str, max_waiting: usize) -> Limiter {
        let rate = (!rate.is_empty()).then(|| rate.parse().unwrap());
        Limiter::new(Arc::new(Memory::default()), "key", "SOME_RATE", rate, max_waiting)
    }

    #[tokio::test]
    async fn the_limiter_waits_for_a_near_slot_and_refuses_a_far_one() {
        let (begin, near) = (Instant::now(), limiter("5/s", 4));
        near.slot().await.unwrap();
        near.slot().await.unwrap();
        assert!(begin.elapsed() > Duration::from_millis(150), "{:?}", begin.elapsed());

        let far = limiter("1/m", 4);
        far.slot().await.unwrap();
        let used_up = far.slot().await.unwrap_err();
        assert!(used_up.wait > Duration::from_secs(59), "{used_up:?}");
        assert!(used_up.to_string().contains("SOME_RATE"), "{used_up}");
    }

    #[tokio::test]
    async fn no_more_callers_wait_than_the_limiter_allows() {
        let limiter = limiter("5/s", 2);
        let slots = join_all((0..6).map(|_| limiter.slot())).await;
        assert_eq!(
            slots.iter().filter(|slot| slot.is_ok()).count(),
            3,
            "one did not have to wait: {slots:?}"
        );
        assert!(slots.iter().filter_map(|slot| slot.as_ref().err()).all(|used_up| used_up.wait <= MAX_WAIT));
    }

    #[tokio::test]
    async fn several_slots_in_a_row_are_taken_together() {
        let limiter = limiter("1/m", 4);
        limiter.slots(3).await.unwrap();
        let wait = limiter.slot().await.unwrap_err().wait;
        assert!(wait > Duration::from_secs(179), "{wait:?}");
    }

    #[tokio::test]
    async fn no_caller_waits_when_there_is_no_rate() {
        let limiter = limiter("", 1);
        assert!(join_all((0..100).map(|_| limiter.slot())).await.iter().all(Result::is_ok));
    }
}
