//! A limit on what we ask of somebody, kept before the request goes out.
//!
//! A slot that is near is waited for in hand; for one that is far away the run comes back later. Only some
//! runs of a process may wait at a time: those that need no slot must find free hands.

use std::sync::Arc;
use std::time::Duration;

use domain::fault::Fault;
use domain::refusal::{Code, Refusal, Remote, Sent};
use tokio::sync::Semaphore;

use super::{Cache, Slot};
use crate::config::Rate;

/// A slot that is further away is not waited for in hand.
pub const PATIENCE: Duration = Duration::from_secs(10);

pub struct Limiter {
    cache: Arc<dyn Cache>,
    key: String,
    setting: &'static str,
    /// Absent: there is no limit.
    rate: Option<Rate>,
    hands: Semaphore,
}

/// There is no slot that could be waited for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("failed to send: the rate that {setting} allows is used up for {} s", .wait.as_secs())]
pub struct RateUsedUp {
    setting: &'static str,
    /// Until the next slot.
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
    /// The limit `key`, which every process with the same cache shares, at the rate that `setting` says. At
    /// most `hands` callers wait at a time; for the others a slot must be free at once.
    pub fn new(
        cache: Arc<dyn Cache>,
        key: impl Into<String>,
        setting: &'static str,
        rate: Option<Rate>,
        hands: usize,
    ) -> Self {
        Self { cache, key: key.into(), setting, rate, hands: Semaphore::new(hands) }
    }

    /// Waits for the next slot, if it is near. Call it right before what the slot is for.
    pub async fn slot(&self) -> Result<(), RateUsedUp> {
        self.slots(1).await
    }

    /// As many slots in a row, of which the first is waited for: for work that is done as a whole, since
    /// who gives up between two of its requests has to begin again.
    pub async fn slots(&self, count: u32) -> Result<(), RateUsedUp> {
        let Some(rate) = self.rate else { return Ok(()) };
        let hand = self.hands.try_acquire();
        let patience = if hand.is_ok() { PATIENCE } else { Duration::ZERO };
        match self.cache.slot(&self.key, rate.every().saturating_mul(count), patience).await {
            Slot::Yours(Duration::ZERO) => Ok(()),
            Slot::Yours(wait) => {
                tokio::time::sleep(wait).await;
                Ok(())
            }
            Slot::Later(wait) => Err(RateUsedUp { setting: self.setting, wait }),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use futures::future::join_all;

    use super::super::Memory;
    use super::*;

    fn limiter(rate: &str, hands: usize) -> Limiter {
        let rate = (!rate.is_empty()).then(|| rate.parse().unwrap());
        Limiter::new(Arc::new(Memory::default()), "key", "SOME_RATE", rate, hands)
    }

    #[tokio::test]
    async fn a_near_slot_is_waited_for_and_a_far_one_is_not() {
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
    async fn only_as_many_wait_as_there_are_hands() {
        let limiter = limiter("5/s", 2);
        let asked = join_all((0..6).map(|_| limiter.slot())).await;
        assert_eq!(asked.iter().filter(|slot| slot.is_ok()).count(), 3, "one had no wait: {asked:?}");
        assert!(asked.iter().filter_map(|slot| slot.as_ref().err()).all(|full| full.wait <= PATIENCE));
    }

    #[tokio::test]
    async fn what_is_done_as_a_whole_takes_its_slots_together() {
        let limiter = limiter("1/m", 4);
        limiter.slots(3).await.unwrap();
        let wait = limiter.slot().await.unwrap_err().wait;
        assert!(wait > Duration::from_secs(179), "{wait:?}");
    }

    #[tokio::test]
    async fn without_a_rate_nobody_waits() {
        let limiter = limiter("", 1);
        assert!(join_all((0..100).map(|_| limiter.slot())).await.iter().all(Result::is_ok));
    }
}
