//! This process's lease: what it claims is its own as long as the lease is renewed in time.
//!
//! A process that could not renew cancels what it runs: by then others may have taken it over. It goes on
//! under a new name.

use std::time::Duration;

use common::store::{InstanceId, Store};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// One life under one name.
#[derive(Clone, Debug)]
pub struct Held {
    pub instance: InstanceId,
    /// Cancelled when the lease was lost; what runs under it must stop.
    pub lost: CancellationToken,
}

#[derive(Clone, Debug)]
pub struct Lease {
    store: Store,
    length: Duration,
    held: watch::Sender<Held>,
}

impl Lease {
    /// Takes a lease. In an embedded store whoever had one before is gone.
    pub async fn acquire(store: Store, length: Duration) -> common::store::Result<Self> {
        if store.is_embedded() {
            store.end_all_instances().await?;
        }
        let held = Held { instance: InstanceId::new(), lost: CancellationToken::new() };
        store.renew_instance(held.instance, length).await?;
        Ok(Self { store, length, held: watch::Sender::new(held) })
    }

    pub fn held(&self) -> Held {
        self.held.borrow().clone()
    }

    /// Renews until `shutdown`, a third of the lease apart, then ends it.
    pub async fn keep(&self, shutdown: CancellationToken) {
        let mut renewed = Instant::now();
        while shutdown.run_until_cancelled(tokio::time::sleep(self.length / 3)).await.is_some() {
            if renewed.elapsed() >= self.length {
                self.renew_as_another();
            }
            let before = Instant::now();
            match self.store.renew_instance(self.held().instance, self.length).await {
                Ok(_) => renewed = before,
                Err(error) => tracing::warn!(%error, "failed to renew the lease"),
            }
        }
    }

    /// Gives everything up that is still claimed.
    pub async fn end(&self) {
        if let Err(error) = self.store.end_instance(self.held().instance).await {
            tracing::warn!(%error, "failed to end the lease; it runs out by itself");
        }
    }

    fn renew_as_another(&self) {
        let old =
            self.held.send_replace(Held { instance: InstanceId::new(), lost: CancellationToken::new() });
        old.lost.cancel();
        tracing::warn!("the lease was not renewed in time: what was running is left to others");
    }
}
