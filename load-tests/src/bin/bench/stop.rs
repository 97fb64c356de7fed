//! What happens at Ctrl-C and SIGTERM: the measurement ends at once, and the program ends when everything that it made on
//! servers is removed.

use anyhow::{Context as _, bail};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

#[derive(Clone)]
pub(crate) struct Stop {
    /// Cancelled when the program is asked to stop.
    asked: CancellationToken,
    /// Tracks what has to be removed before the program ends.
    held: TaskTracker,
}

impl Stop {
    pub(crate) fn listen() -> anyhow::Result<Self> {
        let mut interrupt = signal(SignalKind::interrupt()).context("listen for SIGINT")?;
        let mut term = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
        let stop = Self { asked: CancellationToken::new(), held: TaskTracker::new() };
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

    /// Does `work`, and gives it up when the program is asked to stop.
    pub(crate) async fn unless<T>(&self, work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
        tokio::select! {
            done = work => done,
            () = self.asked.cancelled() => bail!("the measurement was interrupted"),
        }
    }

    /// Keeps the program from ending as long as the token is held.
    pub(crate) fn hold(&self) -> TaskTrackerToken {
        self.held.token()
    }

    /// Waits until the program is asked to stop and everything that was made is removed.
    pub(crate) async fn removed(&self) {
        self.asked.cancelled().await;
        self.held.close();
        self.held.wait().await;
    }
}
