//! Fair shares of a worker: while others are there, no workspace holds more than half of it.
//!
//! Who alone has work gets the whole worker. What is above a workspace's half goes to the bulk lane, so that
//! it does not stand before the others in the queue; in the bulk lane itself it waits in hand.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::call::WorkspaceId;
use tokio::sync::Notify;
use tokio::time::Instant;

/// For so long after its last delivery a workspace counts as there.
const THERE: Duration = Duration::from_mins(1);

/// The shares of one lane of one worker.
pub(crate) struct Shares {
    half: usize,
    held: Mutex<HashMap<WorkspaceId, Held>>,
    freed: Notify,
}

struct Held {
    deliveries: usize,
    last: Instant,
}

/// A place in the worker, until it is dropped.
pub(crate) struct Share {
    shares: Arc<Shares>,
    workspace: WorkspaceId,
}

impl Shares {
    pub(crate) fn of(prefetch: u16) -> Arc<Self> {
        let half = usize::from(prefetch.div_ceil(2));
        Arc::new(Self { half, held: Mutex::default(), freed: Notify::new() })
    }

    /// A place for one more delivery of `workspace`; none when that would be more than its share.
    pub(crate) fn take(self: &Arc<Self>, workspace: WorkspaceId) -> Option<Share> {
        let now = Instant::now();
        let mut held = self.held();
        held.retain(|_, held| held.deliveries > 0 || now - held.last < THERE);
        let others = held.keys().any(|other| *other != workspace);
        let mine = held.entry(workspace).or_insert(Held { deliveries: 0, last: now });
        mine.last = now;
        if others && mine.deliveries >= self.half {
            return None;
        }
        mine.deliveries += 1;
        Some(Share { shares: Arc::clone(self), workspace })
    }

    /// As [`Self::take`], and waits for it.
    pub(crate) async fn wait(self: &Arc<Self>, workspace: WorkspaceId) -> Share {
        loop {
            // Before the look, so that nothing is freed unnoticed in between.
            let freed = self.freed.notified();
            tokio::pin!(freed);
            freed.as_mut().enable();
            if let Some(share) = self.take(workspace) {
                return share;
            }
            // Others can also be there no more without anything being freed.
            tokio::time::timeout(THERE, freed).await.ok();
        }
    }

    fn held(&self) -> MutexGuard<'_, HashMap<WorkspaceId, Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        if let Some(held) = self.shares.held().get_mut(&self.workspace) {
            held.deliveries -= 1;
        }
        self.shares.freed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const ONE: WorkspaceId = WorkspaceId(Uuid::from_u128(1));
    const OTHER: WorkspaceId = WorkspaceId(Uuid::from_u128(2));

    #[tokio::test(start_paused = true)]
    async fn who_is_alone_has_the_whole_worker_and_others_there_have_half_of_it() {
        let shares = Shares::of(4);
        let alone: Vec<Share> = (0..4).map_while(|_| shares.take(ONE)).collect();
        assert_eq!(alone.len(), 4);
        let other = shares.take(OTHER);
        assert!(other.is_some(), "another always finds a place");
        assert!(shares.take(ONE).is_none());
        drop(alone);
        let half: Vec<Share> = (0..4).map_while(|_| shares.take(ONE)).collect();
        assert_eq!(half.len(), 2);
        // The other is still there for a while after its last delivery.
        drop(other);
        assert!(shares.take(ONE).is_none());
        tokio::time::advance(THERE).await;
        assert!(shares.take(ONE).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn what_waits_goes_on_as_soon_as_something_of_its_own_ended() {
        let shares = Shares::of(2);
        let (first, _other) = (shares.take(ONE).unwrap(), shares.take(OTHER).unwrap());
        let begin = Instant::now();
        let waiting = shares.wait(ONE);
        tokio::pin!(waiting);
        assert!(futures::poll!(waiting.as_mut()).is_pending());
        drop(first);
        waiting.await;
        assert_eq!(begin.elapsed(), Duration::ZERO);
    }
}
