//! Ctrl-C and SIGTERM: what is measured ends at once, and what it made on servers is removed first.

use anyhow::{Context as _, bail};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

#[derive(Clone)]
pub(crate) struct Stop {
    asked: CancellationToken,
    made: TaskTracker,
}

impl Stop {
    pub(crate) fn listen() -> anyhow::Result<Self> {
        let mut interrupt = signal(SignalKind::interrupt()).context("listen for SIGINT")?;
        let mut term = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
        let stop = Self { asked: CancellationToken::new(), made: TaskTracker::new() };
        let asked = stop.asked.clone();
        tokio::spawn(async move {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = term.recv() => {}
            }
            asked.cancel();
        });
        Ok(stop)
    }

    /// Does `work`, and gives it up when it is asked to stop.
    pub(crate) async fn unless<T>(&self, work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
        tokio::select! {
            done = work => done,
            () = self.asked.cancelled() => bail!("interrupted"),
        }
    }

    /// Something exists that has to be removed before the program ends, as long as this is held.
    pub(crate) fn made(&self) -> TaskTrackerToken {
        self.made.token()
    }

    /// It was asked to stop, and everything that was made is removed.
    pub(crate) async fn removed(&self) {
        self.asked.cancelled().await;
        self.made.close();
        self.made.wait().await;
    }
}
