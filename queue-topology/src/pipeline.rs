//! Stages joined: the compiler checks that what one emits is what the next consumes.
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

use crate::broker::{BrokerError, Lane};
use crate::delivery::{Engine, deliver};
use crate::shares::Shares;
use crate::stage::Stage;

/// Stages in the order in which a call passes; `Tail` is what the last one emits.
pub struct Pipeline<Tail> {
    workers: Vec<Worker>,
    tail: PhantomData<fn() -> Tail>,
}

impl Pipeline<CallReceived> {
    /// Begins with what ingest publishes.
    #[expect(clippy::new_without_default, reason = "a pipeline without stages is only a beginning")]
    pub fn new() -> Self {
        Self { workers: Vec::new(), tail: PhantomData }
    }
}

impl<Tail: Event> Pipeline<Tail> {
    /// Adds the stage that consumes what the last one emits.
    pub fn then<S: Stage<In = Tail>>(self, stage: S) -> Pipeline<S::Out> {
        Pipeline { workers: self.with(stage), tail: PhantomData }
    }

    /// Adds a last stage; others can consume the same event beside it.
    pub fn ends_in<S: Stage<In = Tail, Out = Nothing>>(self, stage: S) -> Self {
        Self { workers: self.with(stage), tail: PhantomData }
    }

    pub fn workers(self) -> Vec<Worker> {
        self.workers
    }

    fn with<S: Stage>(mut self, stage: S) -> Vec<Worker> {
        let stage = Arc::new(stage);
        let in_hand = TaskTracker::new();
        let tracker = in_hand.clone();
        let run = move |engine: Engine, shutdown: CancellationToken| {
            consume_both_lanes(engine, Arc::clone(&stage), tracker.clone(), shutdown).boxed()
        };
        self.workers.push(Worker { stage: S::QUEUE.spec.stage, run: Arc::new(run), in_hand });
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
    in_hand: TaskTracker,
}

impl Worker {
    /// Consumes until `shutdown`. An error means: start it again. What is in hand does not end with the
    /// connection it came by; see [`Self::drain`].
    pub async fn run(&self, engine: Engine, shutdown: CancellationToken) -> Result<(), BrokerError> {
        (self.run)(engine, shutdown).await
    }

    /// After `shutdown`: waits until what is in hand has ended, within bounds: the time to drain, and, where a
    /// request is on its way then, that request's own deadline.
    pub async fn drain(&self, engine: &Engine) {
        self.in_hand.close();
        let patience = engine.drain_timeout + Duration::from_secs(1);
        if tokio::time::timeout(patience, self.in_hand.wait()).await.is_ok() {
            return;
        }
        engine.lease.requests().wait().await;
        // What waited for one has a moment to let go.
        if tokio::time::timeout(Duration::from_secs(1), self.in_hand.wait()).await.is_err() {
            tracing::warn!(stage = self.stage, "some runs did not end in time; others take them over");
        }
    }
}

async fn consume_both_lanes<S: Stage>(
    engine: Engine,
    stage: Arc<S>,
    in_hand: TaskTracker,
    shutdown: CancellationToken,
) -> Result<(), BrokerError> {
    let [live, bulk] = Lane::BOTH
        .map(|lane| consume(engine.clone(), Arc::clone(&stage), lane, in_hand.clone(), shutdown.clone()));
    tokio::try_join!(live, bulk)?;
    Ok(())
}

async fn consume<S: Stage>(
    engine: Engine,
    stage: Arc<S>,
    lane: Lane,
    in_hand: TaskTracker,
    shutdown: CancellationToken,
) -> Result<(), BrokerError> {
    let spec = S::QUEUE.spec;
    let prefetch = match lane {
        Lane::Live => spec.prefetch,
        Lane::Bulk => spec.prefetch.div_ceil(4),
    };
    let shares = Shares::of(prefetch);
    let mut consumer = engine.broker.consume(&spec, lane, prefetch).await?;
    loop {
        let delivery = tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            delivery = consumer.next() => delivery,
        };
        // The queue or the connection is gone: the supervisor starts this worker again. A run in hand goes
        // on, since nobody would take it over from a process that lives.
        let Some(delivery) = delivery else { return Err(BrokerError::Disconnected) };
        let (engine, stage, stopping) = (engine.clone(), Arc::clone(&stage), shutdown.clone());
        let shares = Arc::clone(&shares);
        in_hand.spawn(async move {
            deliver(&engine, stage.as_ref(), (delivery, lane), &shares, &stopping).await;
        });
    }
}
