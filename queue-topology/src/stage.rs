//! What a worker writes: a stage is a struct whose fields are its dependencies, and one method.

use std::future::Future;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::call::{CallId, WorkspaceId};
use domain::event::{Envelope, Event};
use domain::fault::Fault;
use domain::moment::Moment;
use domain::refusal::{Destination, Refusal};
use store::{Claim, InstanceId, Store, Write};

use crate::broker::Lane;
use crate::effect::{self, Effect, Receipt, Requests};
use crate::table::{self, Queue};

pub use domain::refusal::Sent;

pub trait Stage: Send + Sync + 'static {
    type In: Event;
    /// `Nothing` for a last stage: an event without a consumer is not published.
    type Out: Event;
    const QUEUE: Queue<Self::In>;

    /// Does the work of one run. It may be called again for the same event: whatever it changes outside
    /// goes through [`Cx::once`], and what it found goes through [`Cx::keep`].
    fn handle(
        &self,
        cx: &Cx,
        event: &Envelope<Self::In>,
    ) -> impl Future<Output = Result<Outcome<Self::Out>, StageError>> + Send;
}

#[derive(Debug, PartialEq)]
pub enum Outcome<E> {
    /// The run is done, and its consumers can start.
    Emit(E),
    /// The run is done and nobody follows.
    Done,
    /// Somebody else is working: look again after this long. Spends no attempt.
    Later(Duration),
}

/// Why a run did not end. `code` is what people filter and group by; the source's text is bounded and
/// scrubbed before it is stored.
#[derive(Debug, thiserror::Error)]
#[error("{source:#}")]
pub struct StageError {
    pub fault: Fault,
    /// Snake case, stable: `recording_not_found`, `slack_channel_not_found`.
    pub code: &'static str,
    /// What the other side asked us to wait, for a `Transient` fault.
    pub retry_after: Option<Duration>,
    /// For `Unavailable`: what is down or refuses us. Runs that wait for the same destination in the same
    /// workspace are parked together.
    pub destination: Option<Destination>,
    pub sent: Sent,
    source: anyhow::Error,
}

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

    pub fn retry_after(self, retry_after: Option<Duration>) -> Self {
        Self { retry_after, ..self }
    }

    /// The request may have taken effect.
    pub fn maybe_sent(self) -> Self {
        Self { sent: Sent::Maybe, ..self }
    }
}

/// The one way from a remote system's failure to a run's.
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

/// A limit of our own: the run comes back when there is a slot.
impl From<platform::cache::RateUsedUp> for StageError {
    fn from(used_up: platform::cache::RateUsedUp) -> Self {
        Self::new(Fault::Throttled(used_up.wait), "rate_used_up", used_up)
    }
}

/// The run in hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    pub workspace: WorkspaceId,
    pub call: CallId,
    pub stage: &'static str,
    pub generation: i64,
    /// 1 for the first try of this generation.
    pub attempt: i64,
    /// Proves to the store that this process still holds the run.
    pub fence: i64,
    /// Since when this generation of the call has been worked on at this stage.
    pub since: Moment,
    pub lane: Lane,
}

/// What a stage is given beside its event.
pub struct Cx {
    pub run: Run,
    pub store: Store,
    pub(crate) claim: Claim,
    pub(crate) requests: Requests,
    found: Mutex<Found>,
}

/// What a run found out so far.
#[derive(Default)]
struct Found {
    writes: Vec<Write>,
    generation: Option<i64>,
}

impl Cx {
    pub fn new(store: Store, run: Run, owner: InstanceId) -> Self {
        let claim =
            Claim { workspace: run.workspace, call: run.call, stage: run.stage, owner, fence: run.fence };
        Self { run, store, claim, requests: Requests::default(), found: Mutex::default() }
    }

    pub(crate) fn with(self, requests: Requests) -> Self {
        Self { requests, ..self }
    }

    /// The store's clock.
    pub fn now(&self) -> Moment {
        self.store.now()
    }

    /// Results of this run. They are stored in the transaction that ends it, or not at all.
    pub fn keep(&self, write: Write) {
        self.found().writes.push(write);
    }

    /// What was kept so far, taken out: for the runner, and for tests of a stage.
    pub fn take_writes(&self) -> Vec<Write> {
        std::mem::take(&mut self.found().writes)
    }

    /// What the run emits belongs to this generation of the call. Only dedup, which decides it, says so.
    pub fn emit_at(&self, generation: i64) {
        self.found().generation = Some(generation);
    }

    pub(crate) fn emits_at(&self) -> i64 {
        self.found().generation.unwrap_or(self.run.generation)
    }

    fn found(&self) -> MutexGuard<'_, Found> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes something outside, once: see [`crate::effect`].
    pub async fn once(&self, effect: &impl Effect) -> Result<Receipt, StageError> {
        effect::once(self, effect).await
    }

    /// Declares that what an effect made is of no use any more (a provider's job that failed), so that
    /// the next [`Cx::once`] makes it again.
    pub async fn void(&self, effect: &impl Effect) -> Result<(), StageError> {
        effect::void(self, effect).await
    }

    /// The stages that consume events of type `E`.
    pub fn consumers<E: Event>(&self) -> Vec<&'static str> {
        table::consumers_of(E::KEY).map(|queue| queue.stage).collect()
    }
}
