//! Requests that are on their way to other people's systems.
//!
//! A run is given up when the lease is lost or the process has to stop. Then it sends nothing new. A request that it
//! has sent comes to its end, before its own deadline, and the process records how it ended: nobody else can know.

use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

/// The requests of one run.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    of_run: TaskTracker,
    of_process: TaskTracker,
}

/// A request that is on its way, until this is dropped.
pub(crate) struct OnItsWay {
    _of_run: TaskTrackerToken,
    _of_process: TaskTrackerToken,
}

impl Requests {
    /// The requests of one run. They also count in `of_process`, which the process waits for before it ends.
    pub(crate) fn beside(of_process: &TaskTracker) -> Self {
        Self { of_process: of_process.clone(), ..Self::default() }
    }

    /// Registers one more request. Returns nothing once the run is given up.
    pub(crate) fn begin(&self) -> Option<OnItsWay> {
        let request = OnItsWay { _of_run: self.of_run.token(), _of_process: self.of_process.token() };
        (!self.are_over()).then_some(request)
    }

    /// Whether the run is given up.
    pub(crate) fn are_over(&self) -> bool {
        self.of_run.is_closed()
    }

    /// Gives the run up. Returns when none of its requests is on its way any more.
    pub(crate) async fn end(&self) {
        self.of_run.close();
        self.of_run.wait().await;
    }
}
