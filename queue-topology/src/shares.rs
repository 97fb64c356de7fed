//! Fair shares of a worker: while several workspaces have work, none of them holds more than half of the worker.
//!
//! A workspace that alone has work gets the whole worker. A delivery above a workspace's half goes to the bulk lane, so
//! that it does not delay the other workspaces in the live queue. In the bulk lane itself, such a delivery waits in the
//! worker.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::call::WorkspaceId;
use tokio::sync::Notify;
use tokio::time::Instant;

/// How long after its last delivery a workspace counts as one that has work.
const PRESENT_FOR: Duration = Duration::from_mins(1);

/// The shares of one lane of one worker.
pub(crate) struct Shares {
    half: usize,
    loads: Mutex<HashMap<WorkspaceId, Load>>,
    freed: Notify,
}

/// What one workspace has in the worker.
struct Load {
    deliveries: usize,
    last: Instant,
}

/// A place for one delivery in the worker, until it is dropped.
pub(crate) struct Share {
    shares: Arc<Shares>,
    workspace: WorkspaceId,
}

impl Shares {
    pub(crate) fn of(prefetch: u16) -> Arc<Self> {
        let half = usize::from(prefetch.div_ceil(2));
        Arc::new(Self { half, loads: Mutex::default(), freed: Notify::new() })
    }

    /// Takes a place for one more delivery of `workspace`. Returns nothing if that is more than its share.
    pub(crate) fn take(self: &Arc<Self>, workspace: WorkspaceId) -> Option<Share> {
        let now = Instant::now();
        let mut loads = self.loads();
        loads.retain(|_, load| load.deliveries > 0 || now - load.last < PRESENT_FOR);
        let others = loads.keys().any(|other| *other != workspace);
        let mine = loads.entry(workspace).or_insert(Load { deliveries: 0, last: now });
        mine.last = now;
        if others && mine.deliveries >= self.half {
            return None;
        }
        mine.deliveries += 1;
        Some(Share { shares: Arc::clone(self), workspace })
    }

    /// Like [`Self::take`], but waits until the workspace gets a place.
    pub(crate) async fn wait(self: &Arc<Self>, workspace: WorkspaceId) -> Share {
        loop {
            // Registered before the look, so that no place is freed unnoticed in between.
            let freed = self.freed.notified();
            tokio::pin!(freed);
            freed.as_mut().enable();
            if let Some(share) = self.take(workspace) {
                return share;
            }
            // The other workspaces can also stop to count, without a place being freed.
            tokio::time::timeout(PRESENT_FOR, freed).await.ok();
        }
    }

    fn loads(&self) -> MutexGuard<'_, HashMap<WorkspaceId, Load>> {
        self.loads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        if let Some(load) = self.shares.loads().get_mut(&self.workspace) {
            load.deliveries -= 1;
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
    async fn a_workspace_has_the_whole_worker_while_it_is_alone_and_half_of_it_otherwise() {
        let shares = Shares::of(4);
        let alone: Vec<Share> = (0..4).map_while(|_| shares.take(ONE)).collect();
        assert_eq!(alone.len(), 4);
        let other = shares.take(OTHER);
        assert!(other.is_some(), "another workspace always finds a place");
        assert!(shares.take(ONE).is_none());
        drop(alone);
        let half: Vec<Share> = (0..4).map_while(|_| shares.take(ONE)).collect();
        assert_eq!(half.len(), 2);
        // The other workspace still counts for a while after its last delivery.
        drop(other);
        assert!(shares.take(ONE).is_none());
        tokio::time::advance(PRESENT_FOR).await;
        assert!(shares.take(ONE).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_delivery_that_waits_goes_on_as_soon_as_another_of_its_workspace_ends() {
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
