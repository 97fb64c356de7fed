//! This process's lease: what it claims is its own as long as the lease is renewed in time.
//!
//! A process that could not renew cancels what it runs: by then others may have taken it over. It goes on
//! under a new name, as soon as the store has given that a lease.
//!
//! A process that dies takes everything with it that it had in hand, and nobody can say what of it was to
//! blame. So a run under which two have died already is worked on alone.

mod renewals;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use store::{InstanceId, Store};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use renewals::Renewals;

/// One life under one name.
#[derive(Clone, Debug)]
pub struct Held {
    pub instance: InstanceId,
    /// Cancelled when the lease was lost; what runs under it must stop.
    pub lost: CancellationToken,
}

/// More than a process ever has in hand.
const HANDS: u32 = 1 << 20;

#[derive(Clone, Debug)]
pub struct Lease {
    store: Store,
    length: Duration,
    held: watch::Sender<Held>,
    hands: Arc<Semaphore>,
    renewals: Arc<Mutex<Renewals>>,
    requests: TaskTracker,
}

impl Lease {
    /// Takes a lease. In an embedded store whoever had one before is gone.
    pub async fn acquire(store: Store, length: Duration) -> store::Result<Self> {
        if store.is_embedded() {
            store.end_all_instances().await?;
        }
        let held = Held { instance: InstanceId::new(), lost: CancellationToken::new() };
        store.renew_instance(held.instance, length).await?;
        let hands = Arc::new(Semaphore::new(HANDS as usize));
        let renewals = Arc::new(Mutex::new(Renewals::first(length, Instant::now())));
        let requests = TaskTracker::new();
        // Whoever waits for them waits for those that are on their way then.
        requests.close();
        Ok(Self { store, length, held: watch::Sender::new(held), hands, renewals, requests })
    }

    /// The life that can claim something: waits for one while the lease is lost.
    pub async fn held(&self) -> Held {
        let mut held = self.held.subscribe();
        let current = held.wait_for(|held| !held.lost.is_cancelled()).await;
        // The sender is in `self`.
        current.map_or_else(|_| self.current(), |held| held.clone())
    }

    /// A hand to work with, until it is dropped: one, or, once nothing else is in hand, all of them.
    pub async fn hand(&self, alone: bool) -> Option<OwnedSemaphorePermit> {
        // Nobody closes it.
        Arc::clone(&self.hands).acquire_many_owned(if alone { HANDS } else { 1 }).await.ok()
    }

    /// How long until this process may say that another is dead: see [`renewals`]. Zero where it may; and in an
    /// embedded store, where the others are gone for certain.
    pub fn judges_in(&self) -> Duration {
        if self.store.is_embedded() { Duration::ZERO } else { self.renewals().judges_in(Instant::now()) }
    }

    /// The requests of this process that are on their way.
    pub(crate) fn requests(&self) -> &TaskTracker {
        &self.requests
    }

    fn renewals(&self) -> MutexGuard<'_, Renewals> {
        self.renewals.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn current(&self) -> Held {
        self.held.borrow().clone()
    }

    /// Renews until `shutdown`, a third of the lease apart, then ends it.
    pub async fn keep(&self, shutdown: CancellationToken) {
        let mut renewed = Instant::now();
        let mut pause = self.length / 3;
        while shutdown.run_until_cancelled(tokio::time::sleep(pause)).await.is_some() {
            if renewed.elapsed() >= self.length {
                self.lose();
            }
            let held = self.current();
            let lost = held.lost.is_cancelled();
            let instance = if lost { InstanceId::new() } else { held.instance };
            let before = Instant::now();
            // A store that hangs must not keep us from noticing that the lease is over.
            let left = if lost { self.length } else { self.length.saturating_sub(renewed.elapsed()) };
            let renewing = async {
                if lost {
                    self.store.release_runs(held.instance).await?;
                }
                self.store.renew_instance(instance, self.length).await
            };
            match tokio::time::timeout(left, renewing).await {
                Ok(Ok(_)) => {
                    (renewed, pause) = (before, self.length / 3);
                    self.renewals().succeeded(before, Instant::now());
                    if lost {
                        self.held.send_replace(Held { instance, lost: CancellationToken::new() });
                    }
                    continue;
                }
                Ok(Err(error)) => tracing::warn!(%error, "failed to renew the lease"),
                Err(_) => tracing::warn!("failed to renew the lease: the store does not answer"),
            }
            pause = self.length / 30;
            self.renewals().failed();
            if renewed.elapsed() >= self.length {
                self.lose();
            }
        }
    }

    /// Gives everything up that is still claimed; nothing works on it any more.
    pub async fn end(&self) {
        let instance = self.current().instance;
        let ended = async {
            self.store.release_runs(instance).await?;
            self.store.end_instance(instance).await
        };
        if let Err(error) = ended.await {
            tracing::warn!(%error, "failed to end the lease; it runs out by itself");
        }
    }

    /// What runs is left to others; what comes next runs under another name, once that has a lease.
    fn lose(&self) {
        let held = self.current();
        if !held.lost.is_cancelled() {
            held.lost.cancel();
            // Says so to whoever waits for the next.
            self.held.send_modify(|_| {});
            tracing::warn!("the lease was not renewed in time: what was running is left to others");
        }
    }
}

#[cfg(test)]
mod tests {
    use sqlx::{Connection as _, Executor as _, SqliteConnection};

    use super::*;

    #[tokio::test]
    async fn a_lease_is_lost_while_the_store_hangs_and_what_comes_next_waits_for_another() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open_embedded(folder.path()).await.unwrap();
        let lease = Lease::acquire(store, Duration::from_millis(600)).await.unwrap();
        let first = lease.held().await;
        let shutdown = CancellationToken::new();
        let keeping = {
            let (lease, shutdown) = (lease.clone(), shutdown.clone());
            tokio::spawn(async move { lease.keep(shutdown).await })
        };
        let file = format!("sqlite://{}", folder.path().join("debrief.db").display());
        let mut other = SqliteConnection::connect(&file).await.unwrap();
        other.execute("BEGIN IMMEDIATE").await.unwrap();
        // The store would say that it is busy only after seconds.
        let in_time = Duration::from_secs(3);
        tokio::time::timeout(in_time, first.lost.cancelled()).await.expect("the loss is noticed");
        assert!(tokio::time::timeout(Duration::from_millis(100), lease.held()).await.is_err());
        other.execute("ROLLBACK").await.unwrap();
        let next = tokio::time::timeout(Duration::from_secs(20), lease.held()).await.expect("another lease");
        assert_ne!(next.instance, first.instance);
        shutdown.cancel();
        keeping.await.unwrap();
    }
}
