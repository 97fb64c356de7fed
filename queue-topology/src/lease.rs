//! The lease of this process: the runs that it claims are its own as long as the lease is renewed in time.
//!
//! A process that could not renew its lease cancels what it runs, because others may have taken that over. It goes on
//! under a new name, as soon as the store has given the new name a lease.
//!
//! When a process dies, all runs that it worked on end with it, and nobody can say which of them was to blame. So a run
//! under which two processes have died is worked on alone.

mod renewals;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use store::{InstanceId, Process, Store};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use renewals::Renewals;

/// The time for which a process holds a lease under one name.
#[derive(Clone, Debug)]
pub struct Term {
    pub instance: InstanceId,
    /// Cancelled when the lease was lost. The runs of this term must stop then.
    pub lost: CancellationToken,
}

/// More permits than a process ever gives out at the same time.
const WORK_PERMITS: u32 = 1 << 20;

#[derive(Clone, Debug)]
pub struct Lease {
    store: Store,
    length: Duration,
    term: watch::Sender<Term>,
    permits: Arc<Semaphore>,
    renewals: Arc<Mutex<Renewals>>,
    requests: TaskTracker,
    process: Arc<Mutex<Option<Process>>>,
}

impl Lease {
    /// Takes a lease. In an embedded store, whoever had one before is gone.
    pub async fn acquire(store: Store, length: Duration) -> store::Result<Self> {
        if store.is_embedded() {
            store.end_all_instances().await?;
        }
        let term = Term { instance: InstanceId::new(), lost: CancellationToken::new() };
        store.renew_instance(term.instance, length).await?;
        let permits = Arc::new(Semaphore::new(WORK_PERMITS as usize));
        let renewals = Arc::new(Mutex::new(Renewals::first(length, Instant::now())));
        let requests = TaskTracker::new();
        // A tracker must be closed before somebody can wait until it is empty. New requests still count in it.
        requests.close();
        Ok(Self {
            store,
            length,
            term: watch::Sender::new(term),
            permits,
            renewals,
            requests,
            process: Arc::default(),
        })
    }

    /// Shows what this process is, under its name of now and under each later one.
    pub async fn describe(&self, process: Process) {
        *self.process.lock().unwrap_or_else(PoisonError::into_inner) = Some(process);
        self.show_process(self.current().instance).await;
    }

    async fn show_process(&self, instance: InstanceId) {
        let process = self.process.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(process) = process else { return };
        if let Err(error) = self.store.describe_instance(instance, &process).await {
            tracing::debug!(%error, "failed to show what this process is");
        }
    }

    /// The current term. While the lease is lost, this waits for the next one.
    pub async fn term(&self) -> Term {
        let mut term = self.term.subscribe();
        let current = term.wait_for(|term| !term.lost.is_cancelled()).await;
        // This cannot fail: `self` keeps the sender.
        current.map_or_else(|_| self.current(), |term| term.clone())
    }

    /// The permission to work on a run, until it is dropped. With `alone`, this waits until the process works on
    /// nothing else, and nobody gets another permit meanwhile.
    pub async fn work_permit(&self, alone: bool) -> Option<OwnedSemaphorePermit> {
        // This is always a permit, because nobody closes the semaphore.
        Arc::clone(&self.permits).acquire_many_owned(if alone { WORK_PERMITS } else { 1 }).await.ok()
    }

    /// How long until this process may declare another process dead: see [`renewals`]. It is zero if the process may
    /// do so now, and always zero in an embedded store, where the other processes are certainly gone.
    pub fn may_judge_in(&self) -> Duration {
        if self.store.is_embedded() { Duration::ZERO } else { self.renewals().may_judge_in(Instant::now()) }
    }

    /// The requests of this process that are on their way to other people's systems.
    pub(crate) fn requests(&self) -> &TaskTracker {
        &self.requests
    }

    fn renewals(&self) -> MutexGuard<'_, Renewals> {
        self.renewals.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn current(&self) -> Term {
        self.term.borrow().clone()
    }

    /// Renews the lease each time that a third of it has passed, until `shutdown`.
    pub async fn keep(&self, shutdown: CancellationToken) {
        let mut renewed = Instant::now();
        let mut pause = self.length / 3;
        while shutdown.run_until_cancelled(tokio::time::sleep(pause)).await.is_some() {
            if renewed.elapsed() >= self.length {
                self.lose();
            }
            let term = self.current();
            let lost = term.lost.is_cancelled();
            let instance = if lost { InstanceId::new() } else { term.instance };
            let before = Instant::now();
            // The time limit lets us notice that the lease is over even if the store hangs.
            let left = if lost { self.length } else { self.length.saturating_sub(renewed.elapsed()) };
            let renewing = async {
                if lost {
                    self.store.release_runs(term.instance).await?;
                }
                self.store.renew_instance(instance, self.length).await
            };
            match tokio::time::timeout(left, renewing).await {
                Ok(Ok(_)) => {
                    (renewed, pause) = (before, self.length / 3);
                    self.renewals().succeeded(before, Instant::now());
                    if lost {
                        self.term.send_replace(Term { instance, lost: CancellationToken::new() });
                        self.show_process(instance).await;
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

    /// Gives up the runs that this process still claims. It must not work on any of them any more.
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

    /// Ends the current term. Its runs are left to others, and new runs begin under another name, once that name has a
    /// lease.
    fn lose(&self) {
        let term = self.current();
        if !term.lost.is_cancelled() {
            term.lost.cancel();
            // This wakes whoever looks at the term.
            self.term.send_modify(|_| {});
            tracing::warn!("the lease was not renewed in time: the runs of this process are left to others");
        }
    }
}

#[cfg(test)]
mod tests {
    use sqlx::{Connection as _, Executor as _, SqliteConnection};

    use super::*;

    #[tokio::test]
    async fn a_lease_is_lost_while_the_store_hangs_and_the_next_run_waits_for_a_new_one() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open_embedded(folder.path()).await.unwrap();
        let lease = Lease::acquire(store, Duration::from_millis(600)).await.unwrap();
        let first = lease.term().await;
        let shutdown = CancellationToken::new();
        let keeping = {
            let (lease, shutdown) = (lease.clone(), shutdown.clone());
            tokio::spawn(async move { lease.keep(shutdown).await })
        };
        let file = format!("sqlite://{}", folder.path().join("debrief.db").display());
        let mut other = SqliteConnection::connect(&file).await.unwrap();
        other.execute("BEGIN IMMEDIATE").await.unwrap();
        // The store would report only after seconds that it is busy.
        let in_time = Duration::from_secs(3);
        tokio::time::timeout(in_time, first.lost.cancelled()).await.expect("the loss is noticed");
        assert!(tokio::time::timeout(Duration::from_millis(100), lease.term()).await.is_err());
        other.execute("ROLLBACK").await.unwrap();
        let next = tokio::time::timeout(Duration::from_secs(20), lease.term()).await.expect("another lease");
        assert_ne!(next.instance, first.instance);
        shutdown.cancel();
        keeping.await.unwrap();
    }
}
