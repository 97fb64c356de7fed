//! Requests that are on their way.
//!
//! A run that is given up, because the lease is lost or the process has to stop, sends nothing new. What it has
//! sent comes to its end, within its own deadline, and how it ended is recorded: nobody else can say so.

use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

/// Those of one run.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    of_run: TaskTracker,
    of_process: TaskTracker,
}

/// A request that is on its way, until this is dropped.
pub(super) struct OnItsWay {
    _of_run: TaskTrackerToken,
    _of_process: TaskTrackerToken,
}

impl Requests {
    /// Of a run whose process looks at `of_process` before it ends.
    pub(crate) fn beside(of_process: &TaskTracker) -> Self {
        Self { of_process: of_process.clone(), ..Self::default() }
    }

    /// One more; none once the run is given up.
    pub(super) fn begin(&self) -> Option<OnItsWay> {
        let request = OnItsWay { _of_run: self.of_run.token(), _of_process: self.of_process.token() };
        (!self.are_over()).then_some(request)
    }

    /// Whether the run is given up.
    pub(crate) fn are_over(&self) -> bool {
        self.of_run.is_closed()
    }

    /// Gives the run up. Returns when nothing of it is on its way any more.
    pub(crate) async fn end(&self) {
        self.of_run.close();
        self.of_run.wait().await;
    }
}
