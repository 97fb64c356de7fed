//! Stages joined to a pipeline: the compiler checks that each stage consumes what the one before it emits.
//!
//! ```compile_fail
//! # use domain::event::{CallAccepted, CallReceived, CallTranscribed, Envelope};
//! # use queue_topology::{table, Cx, Outcome, Pipeline, Stage, StageError, table::Queue};
//! struct Transcribe;
//! impl Stage for Transcribe {
//!     type In = CallAccepted;
//!     type Out = CallTranscribed;
//!     const QUEUE: Queue<CallAccepted> = table::TRANSCRIPTION;
//!     async fn handle(&self, _: &Cx, _: &Envelope<CallAccepted>) -> Result<Outcome<CallTranscribed>, StageError> {
//!         Ok(Outcome::Emit(CallTranscribed {}))
//!     }
//! }
//! // A pipeline starts with `CallReceived`; this stage consumes `CallAccepted`, so it does not fit.
//! let pipeline = Pipeline::new().then(Transcribe);
//! ```
//!
//! The same stage fits where `CallAccepted` is emitted:
//!
//! ```
//! # use domain::event::{CallAccepted, CallReceived, CallTranscribed, Envelope};
//! # use queue_topology::{table, Cx, Outcome, Pipeline, Stage, StageError, table::Queue};
//! # struct Dedup;
//! # impl Stage for Dedup {
//! #     type In = CallReceived;
//! #     type Out = CallAccepted;
//! #     const QUEUE: Queue<CallReceived> = table::DEDUP;
//! #     async fn handle(&self, _: &Cx, _: &Envelope<CallReceived>) -> Result<Outcome<CallAccepted>, StageError> {
//! #         Ok(Outcome::Emit(CallAccepted {}))
//! #     }
//! # }
//! # struct Transcribe;
//! # impl Stage for Transcribe {
//! #     type In = CallAccepted;
//! #     type Out = CallTranscribed;
//! #     const QUEUE: Queue<CallAccepted> = table::TRANSCRIPTION;
//! #     async fn handle(&self, _: &Cx, _: &Envelope<CallAccepted>) -> Result<Outcome<CallTranscribed>, StageError> {
//! #         Ok(Outcome::Emit(CallTranscribed {}))
//! #     }
//! # }
//! let pipeline = Pipeline::new().then(Dedup).then(Transcribe);
//! ```

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use domain::event::{CallReceived, Event, Nothing};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::broker::BrokerError;
use crate::delivery::{Bounds, deliver};
use crate::engine::Engine;
use crate::metrics;
use crate::places::Places;
use crate::shares::Shares;
use crate::stage::Stage;
use crate::table::Lane;

/// Stages in the order in which a call passes them. `Tail` is the event that the last one emits.
pub struct Pipeline<Tail> {
    workers: Vec<Worker>,
    tail: PhantomData<fn() -> Tail>,
}

impl Pipeline<CallReceived> {
    /// An empty pipeline. It begins with the event that ingest publishes.
    #[expect(clippy::new_without_default, reason = "a pipeline without stages is not a useful default")]
    pub fn new() -> Self {
        Self { workers: Vec::new(), tail: PhantomData }
    }
}

impl<Tail: Event> Pipeline<Tail> {
    /// Adds the stage that consumes the event of the last one.
    pub fn then<S: Stage<In = Tail>>(self, stage: S) -> Pipeline<S::Out> {
        Pipeline { workers: self.with(stage), tail: PhantomData }
    }

    /// Adds a last stage. Other last stages can consume the same event.
    pub fn ends_in<S: Stage<In = Tail, Out = Nothing>>(self, stage: S) -> Self {
        Self { workers: self.with(stage), tail: PhantomData }
    }

    /// Adds a stage that stands beside the pipeline: no other stage emits the event that it consumes.
    pub fn beside<S: Stage<Out = Nothing>>(self, stage: S) -> Self {
        Self { workers: self.with(stage), tail: PhantomData }
    }

    pub fn workers(self) -> Vec<Worker> {
        self.workers
    }

    fn with<S: Stage>(mut self, stage: S) -> Vec<Worker> {
        let stage = Arc::new(stage);
        let running = TaskTracker::new();
        let tracker = running.clone();
        let run = move |engine: Engine, shutdown: CancellationToken| {
            consume_both_lanes(engine, Arc::clone(&stage), tracker.clone(), shutdown).boxed()
        };
        self.workers.push(Worker { stage: S::QUEUE.spec.stage, run: Arc::new(run), running });
        self.workers
    }
}

type RunWorker =
    dyn Fn(Engine, CancellationToken) -> BoxFuture<'static, Result<(), BrokerError>> + Send + Sync;

/// One stage, ready to consume its queue.
#[derive(Clone)]
pub struct Worker {
    pub stage: &'static str,
    run: Arc<RunWorker>,
    running: TaskTracker,
}

impl Worker {
    /// Consumes the queue until `shutdown`. After an error, start it again. The runs that it began go on when the
    /// connection ends by which they came: see [`Self::drain`].
    pub async fn run(&self, engine: Engine, shutdown: CancellationToken) -> Result<(), BrokerError> {
        metrics::declare_stage(self.stage);
        (self.run)(engine, shutdown).await
    }

    /// Waits after `shutdown` until the runs of this worker have ended. It waits for the time to drain, and if a request
    /// is on its way then, until the deadline of that request.
    pub async fn drain(&self, engine: &Engine) {
        self.running.close();
        let patience = engine.drain_timeout + Duration::from_secs(1);
        if tokio::time::timeout(patience, self.running.wait()).await.is_ok() {
            return;
        }
        engine.lease.requests().wait().await;
        // The runs that waited for a request get a moment to end.
        if tokio::time::timeout(Duration::from_secs(1), self.running.wait()).await.is_err() {
            tracing::warn!(stage = self.stage, "some runs did not end in time; others take them over");
        }
    }
}

async fn consume_both_lanes<S: Stage>(
    engine: Engine,
    stage: Arc<S>,
    running: TaskTracker,
    shutdown: CancellationToken,
) -> Result<(), BrokerError> {
    let [live, bulk] = Lane::BOTH
        .map(|lane| consume(engine.clone(), Arc::clone(&stage), lane, running.clone(), shutdown.clone()));
    tokio::try_join!(live, bulk)?;
    Ok(())
}

async fn consume<S: Stage>(
    engine: Engine,
    stage: Arc<S>,
    lane: Lane,
    running: TaskTracker,
    shutdown: CancellationToken,
) -> Result<(), BrokerError> {
    let spec = S::QUEUE.spec;
    let prefetch = spec.prefetch_of(lane);
    let bounds = Arc::new(Bounds { shares: Shares::of(prefetch), places: Places::of(&spec, lane) });
    let mut consumer = engine.broker.consume(&spec, lane, prefetch).await?;
    loop {
        let delivery = tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            delivery = consumer.next() => delivery,
        };
        // The queue or the connection is gone, and the supervisor starts this worker again. Runs that have begun go on,
        // because nobody takes them over from a process that lives.
        let Some(delivery) = delivery else { return Err(BrokerError::Disconnected) };
        let (engine, stage, stopping) = (engine.clone(), Arc::clone(&stage), shutdown.clone());
        let bounds = Arc::clone(&bounds);
        running.spawn(async move {
            deliver(&engine, stage.as_ref(), (delivery, lane), &bounds, &stopping).await;
        });
    }
}
