//! Why a run did not end, in the form in which a stage reports it.

use std::any::Any;
use std::time::Duration;

use anyhow::anyhow;
use domain::fault::Fault;
pub use domain::refusal::Sent;
use domain::refusal::{Destination, Refusal};

/// Why a run did not end. People filter and group by `code`. The text of the source is limited and scrubbed before it
/// is stored.
#[derive(Debug, thiserror::Error)]
#[error("{source:#}")]
pub struct StageError {
    pub fault: Fault,
    /// A word in snake case that never changes: `recording_not_found`, `slack_channel_not_found`.
    pub code: &'static str,
    /// How long the other side asked us to wait, for a `Transient` fault.
    pub retry_after: Option<Duration>,
    /// For `Unavailable`: what is down or refuses us. Runs that wait for the same destination in the same workspace are
    /// parked together.
    pub destination: Option<Destination>,
    pub sent: Sent,
    source: anyhow::Error,
}

/// The code of a run that gave its place back.
const NO_PLACE: &str = "no_place";

impl StageError {
    pub fn new(fault: Fault, code: &'static str, source: impl Into<anyhow::Error>) -> Self {
        Self { fault, code, retry_after: None, destination: None, sent: Sent::No, source: source.into() }
    }

    pub fn transient(code: &'static str, source: impl Into<anyhow::Error>) -> Self {
        Self::new(Fault::Transient, code, source)
    }

    pub fn permanent(code: &'static str, source: impl Into<anyhow::Error>) -> Self {
        Self::new(Fault::Permanent, code, source)
    }

    pub fn unavailable(
        destination: impl Into<Destination>,
        code: &'static str,
        source: impl Into<anyhow::Error>,
    ) -> Self {
        Self { destination: Some(destination.into()), ..Self::new(Fault::Unavailable, code, source) }
    }

    /// The run gives its place back, because the share of the worker's places that may wait for `whom` is taken. It comes
    /// again after this time.
    pub(crate) fn no_place(whom: &str, come_again_in: Duration) -> Self {
        let source = anyhow!("enough runs of this worker wait for `{whom}` already");
        Self::new(Fault::Throttled(come_again_in), NO_PLACE, source).retry_after(Some(come_again_in))
    }

    pub(crate) fn is_for_want_of_a_place(&self) -> bool {
        self.code == NO_PLACE
    }

    /// The error of a stage that panicked. It repeats only a text that stands in the code: a text that was made at
    /// run time can quote what was said in the call.
    pub(crate) fn panicked(panic: &(dyn Any + Send)) -> Self {
        let text = panic.downcast_ref::<&str>().copied().unwrap_or("the log says where");
        Self::transient("panicked", anyhow!("the stage panicked: {text}"))
    }

    /// The same error of a run that waits for this destination.
    pub fn waiting_for(self, destination: Destination) -> Self {
        Self { destination: Some(destination), ..self }
    }

    pub fn retry_after(self, retry_after: Option<Duration>) -> Self {
        Self { retry_after, ..self }
    }

    /// The same error of a request that may have taken effect.
    pub fn maybe_sent(self) -> Self {
        Self { sent: Sent::Maybe, ..self }
    }
}

/// The one way from the failure of a remote system to the failure of a run.
impl From<Refusal> for StageError {
    fn from(refusal: Refusal) -> Self {
        let Refusal { fault, code, retry_after, sent, .. } = refusal;
        let destination = (fault == Fault::Unavailable).then(|| refusal.destination.clone());
        Self { fault, code: code.name(), retry_after, destination, sent, source: refusal.into() }
    }
}

impl From<store::StoreError> for StageError {
    fn from(error: store::StoreError) -> Self {
        Self::unavailable(Destination::STORE, "store_unavailable", error)
    }
}
