//! Looks whether something changed that a page may show.
//!
//! One task for each process looks at the store once a second while at least one page is open.

use std::time::Duration;

use store::Store;
use tokio::sync::watch;

const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The number of changes that this process has seen.
#[derive(Clone)]
pub struct Updates(watch::Sender<u64>);

impl Updates {
    pub fn new() -> Self {
        Self(watch::Sender::new(0))
    }

    /// What an open page waits for.
    pub(crate) fn subscribe(&self) -> watch::Receiver<u64> {
        self.0.subscribe()
    }

    /// Looks for changes as long as it is polled.
    pub async fn watch(&self, store: &Store) {
        let mut seen = None;
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            if self.0.receiver_count() == 0 {
                continue;
            }
            match store.last_change().await {
                Ok(change) if seen == Some(change) => {}
                Ok(change) => {
                    seen = Some(change);
                    self.0.send_modify(|count| *count += 1);
                }
                Err(error) => tracing::debug!(%error, "failed to look for changes"),
            }
        }
    }
}

impl Default for Updates {
    fn default() -> Self {
        Self::new()
    }
}
