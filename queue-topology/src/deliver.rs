//! One delivery, from receive to acknowledge. The only place that acknowledges.
//!
//! The row decides: a message is taken to the row it names, and whoever cannot take the row has nothing
//! to do. The run ends in one transaction with its results and the rows that follow; only then is what
//! follows published, and the message acknowledged. What is lost in between, the keeper wakes.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::anyhow;
use bytes::Bytes;
use common::call::CallId;
use common::event::{DecodeError, Envelope, Event};
use common::fault::Fault;
use common::moment::Moment;
use common::store::{Begun, BegunRun, DeadLetter, ErrorText, NewRun, Settled, Settlement, Store};
use common::telemetry;
use futures::FutureExt as _;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;
use uuid::Uuid;

use crate::broker::{Broker, Delivery, Lane, Message, Route};
use crate::lease::{Held, Lease};
use crate::metrics;
use crate::retry::{Failure, Next, Schedule};
use crate::scrub;
use crate::stage::{Cx, Outcome, Run, Stage, StageError};
use crate::table;
use crate::wake::{self, RunWoken};

/// What every stage of a process runs on.
#[derive(Clone)]
pub struct Engine {
    pub store: Store,
    pub broker: Arc<dyn Broker>,
    pub lease: Lease,
    pub schedule: Schedule,
    /// How long what is in hand may take to end when the process stops.
    pub drain_timeout: Duration,
}

/// Between two tries to reach a store that is down.
pub(crate) const STORE_PAUSE: Duration = Duration::from_millis(500);

/// A message, read.
enum Read<E> {
    Event(Envelope<E>),
    Woken(Envelope<RunWoken>),
}

/// Carries one delivery to its end. `stopping` says that the process is to stop: what cannot go on is
/// given back.
pub(crate) async fn deliver<S: Stage>(
    engine: &Engine,
    stage: &S,
    (delivery, lane): (Delivery, Lane),
    stopping: &CancellationToken,
) {
    let spec = S::QUEUE.spec;
    let read = match read::<S::In>(&delivery.body) {
        Ok(read) => read,
        Err(error) => {
            tracing::warn!(stage = spec.stage, %error, "a message cannot be read: it goes to the dead queue");
            metrics::undecodable(spec.stage);
            return report(delivery.reject().await);
        }
    };
    let (ids, nudge, traceparent) = match &read {
        Read::Event(event) => (ids(event), false, event.traceparent.clone()),
        Read::Woken(wake) => (ids(wake), wake.data.nudge, None),
    };
    let span = tracing::info_span!(
        "run",
        otel.name = spec.stage,
        stage = spec.stage,
        workspace = %ids.0,
        call = %ids.1,
        generation = ids.2,
        attempt = tracing::field::Empty,
        outcome = tracing::field::Empty,
    );
    telemetry::set_parent(&span, traceparent.as_deref());
    let carried = async {
        match read {
            Read::Event(event) if !spec.has_rows => without_row(engine, stage, event, lane, stopping).await,
            _ => with_row(engine, stage, ids, nudge, stopping).await,
        }
    };
    match carried.instrument(span).await {
        Carried::ToTheEnd => report(delivery.ack().await),
        Carried::Interrupted => report(delivery.give_back().await),
    }
}

enum Carried {
    /// Whatever there was to do is on record.
    ToTheEnd,
    /// The process stops, or its store is gone: somebody else must look.
    Interrupted,
}

async fn with_row<S: Stage>(
    engine: &Engine,
    stage: &S,
    (workspace, call, generation): Ids,
    nudge: bool,
    stopping: &CancellationToken,
) -> Carried {
    let spec = S::QUEUE.spec;
    let Some(held) = stopping.run_until_cancelled(engine.lease.held()).await else {
        return Carried::Interrupted;
    };
    let asked_at = engine.store.now();
    let begun = until_stored(stopping, || {
        let (store, owner) = (&engine.store, held.instance);
        store.begin_run_asked(asked_at, workspace, call, spec.stage, generation, nudge, owner)
    });
    let begun = match begun.await {
        None => return Carried::Interrupted,
        Some(Begun::Poison) => {
            tracing::error!("the run is dead: the process died three times while it worked on this");
            return Carried::ToTheEnd;
        }
        Some(Begun::NothingToDo) => {
            return announce_again::<S>(engine, (workspace, call, generation), stopping).await;
        }
        Some(Begun::Mine(begun)) => begun,
    };
    let run = Run {
        workspace,
        call,
        stage: spec.stage,
        generation: begun.generation,
        attempt: begun.attempts,
        fence: begun.fence,
        since: begun.since,
        lane: Lane::from_name(&begun.lane),
    };
    tracing::Span::current().record("attempt", run.attempt);
    let cx = Cx::new(engine.store.clone(), run, held.instance);
    let started = Instant::now();
    let Some(result) = work(stage, &cx, &begun, &held, stopping, engine.drain_timeout).await else {
        // Lost or out of time: the row stays as it is and is taken over when its owner counts as dead.
        return Carried::ToTheEnd;
    };
    let lane = cx.run.lane;
    let ended = Ended::of::<S>(engine, &cx, &begun, result);
    tracing::Span::current().record("outcome", ended.name());
    metrics::run_ended(spec.stage, ended.name(), started.elapsed());
    let settled = until_stored(stopping, || async { ended.settle(engine, &cx).await });
    match settled.await {
        None => Carried::Interrupted,
        // Taken over; or it was settled, the answer was lost, and what follows waits for its message.
        Some(Settled::NotOurs) => announce_again::<S>(engine, (workspace, call, generation), stopping).await,
        Some(Settled::NewerWaits { generation }) => {
            let message = wake::message(spec.stage, (workspace, call, generation), false, lane);
            publish(engine, (call, generation), message).await;
            Carried::ToTheEnd
        }
        Some(Settled::Yes) => {
            ended.after(engine, &cx, &begun, lane).await;
            Carried::ToTheEnd
        }
    }
}

/// Calls the stage; nothing when the lease was lost, or the process had to stop before it ended.
async fn work<S: Stage>(
    stage: &S,
    cx: &Cx,
    begun: &BegunRun,
    held: &Held,
    stopping: &CancellationToken,
    drain_timeout: Duration,
) -> Option<Result<Outcome<S::Out>, StageError>> {
    let event = match Envelope::<S::In>::decode(begun.input.as_bytes()) {
        Ok(event) => event,
        Err(error) => return Some(Err(StageError::permanent("input_unreadable", error))),
    };
    let handled = AssertUnwindSafe(stage.handle(cx, &event)).catch_unwind();
    let out_of_time = async {
        stopping.cancelled().await;
        tokio::time::sleep(drain_timeout).await;
    };
    tokio::select! {
        handled = handled => Some(handled.unwrap_or_else(|panic| Err(panicked(panic.as_ref())))),
        () = held.lost.cancelled() => None,
        () = out_of_time => None,
    }
}

fn panicked(panic: &(dyn std::any::Any + Send)) -> StageError {
    let text = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_default();
    StageError::transient("panicked", anyhow!("the stage panicked: {text}"))
}

/// How a run ended, ready to be stored.
enum Ended {
    Done { writes: Vec<common::store::Write>, children: Vec<NewRun>, event: Option<Message> },
    Again { not_before: Moment, spent: bool, error: Option<Told> },
    Parked { destination: String, probe_at: Moment, error: Told },
    Dead { error: Told },
}

/// An error as it is stored and logged.
struct Told {
    code: &'static str,
    text: String,
}

impl Ended {
    fn of<S: Stage>(
        engine: &Engine,
        cx: &Cx,
        begun: &BegunRun,
        result: Result<Outcome<S::Out>, StageError>,
    ) -> Self {
        let now = cx.now();
        match result {
            Ok(Outcome::Emit(data)) => {
                let event = emitted(cx, data);
                let children = children(&event, &begun.lane);
                let event = (!children.is_empty()).then(|| event_message(&event, cx.run.lane));
                Self::Done { writes: cx.take_writes(), children, event }
            }
            Ok(Outcome::Done) => Self::Done { writes: cx.take_writes(), children: Vec::new(), event: None },
            Ok(Outcome::Later(wait)) => Self::Again { not_before: now.plus(wait), spent: false, error: None },
            Err(error) => {
                let failure = Failure {
                    fault: error.fault,
                    attempt: begun.attempts,
                    age: now.since(begun.since),
                    retry_after: error.retry_after,
                    jitter: rand::random(),
                };
                let told = Told { code: error.code, text: scrub::scrub(&error.to_string()) };
                match engine.schedule.next_try(&failure) {
                    Next::Again { after, spent } => {
                        Self::Again { not_before: now.plus(after), spent, error: Some(told) }
                    }
                    Next::Park { probe_after } => Self::Parked {
                        destination: error.destination.unwrap_or_else(|| cx.run.stage.to_owned()),
                        probe_at: now.plus(probe_after),
                        error: told,
                    },
                    Next::Dead => Self::Dead { error: told },
                }
            }
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Done { .. } => "done",
            Self::Again { error: None, .. } => "later",
            Self::Again { .. } => "retry",
            Self::Parked { .. } => "parked",
            Self::Dead { .. } => "dead",
        }
    }

    async fn settle(&self, engine: &Engine, cx: &Cx) -> common::store::Result<Settled> {
        let group;
        let settlement = match self {
            Self::Done { writes, children, .. } => Settlement::Done { writes, children },
            Self::Again { not_before, spent, error } => Settlement::Again {
                not_before: *not_before,
                spent: *spent,
                error: error.as_ref().map(Told::error),
            },
            Self::Parked { destination, probe_at, error } => {
                Settlement::Parked { destination, probe_at: *probe_at, error: error.error() }
            }
            Self::Dead { error } => {
                group = scrub::group(error.code, &error.text);
                Settlement::Dead { error: error.error(), group: &group }
            }
        };
        engine.store.settle_run(&cx.claim, &settlement).await
    }

    /// What is said and sent once the end is on record.
    async fn after(&self, engine: &Engine, cx: &Cx, begun: &BegunRun, lane: Lane) {
        match self {
            Self::Done { event, .. } => {
                if let Some(event) = event {
                    publish(engine, (cx.run.call, cx.emits_at()), event.clone()).await;
                }
                if let Some(destination) = &begun.destination {
                    wake_parked(engine, cx, destination).await;
                }
            }
            Self::Again { not_before, .. } if *not_before <= engine.store.now() => {
                let ids = (cx.run.workspace, cx.run.call, cx.run.generation);
                publish(engine, (ids.1, ids.2), wake::message(cx.run.stage, ids, false, lane)).await;
            }
            Self::Again { error: Some(error), not_before, .. } => {
                tracing::warn!(code = error.code, error = error.text, %not_before, "the run failed and is tried again");
            }
            Self::Again { .. } => {}
            Self::Parked { destination, error, .. } => {
                tracing::warn!(code = error.code, error = error.text, destination, "the run is parked");
            }
            Self::Dead { error } => tracing::error!(code = error.code, error = error.text, "the run is dead"),
        }
    }
}

impl Told {
    fn error(&self) -> ErrorText<'_> {
        ErrorText { code: self.code, text: &self.text }
    }
}

/// A destination was reached again: whoever waits for it can go on.
async fn wake_parked(engine: &Engine, cx: &Cx, destination: &str) {
    match engine.store.unpark(cx.run.workspace, destination).await {
        Ok(0) => {}
        Ok(runs) => tracing::info!(destination, runs, "the destination is back: parked runs go on"),
        Err(error) => tracing::warn!(%error, "failed to wake parked runs; they are probed one by one"),
    }
}

/// The message came a second time, or somebody else has the run. If the run is done, its children that
/// nobody has begun are announced again: the first announcement may have been lost.
async fn announce_again<S: Stage>(
    engine: &Engine,
    (workspace, call, generation): Ids,
    stopping: &CancellationToken,
) -> Carried {
    let spec = S::QUEUE.spec;
    let stages: Vec<_> = table::consumers_of(S::Out::KEY).map(|queue| queue.stage).collect();
    if stages.is_empty() {
        return Carried::ToTheEnd;
    }
    let waiting = until_stored(stopping, || async {
        if engine.store.is_done(call, spec.stage, generation).await? {
            engine.store.waiting_runs(call, &stages, generation).await
        } else {
            Ok(Vec::new())
        }
    });
    let Some(waiting) = waiting.await else { return Carried::Interrupted };
    for run in waiting {
        let lane = Lane::from_name(&run.lane);
        let message = wake::message(run.stage, (workspace, call, generation), false, lane);
        publish(engine, (call, generation), message).await;
    }
    Carried::ToTheEnd
}

/// A stage behind which no row stands. It changes nothing but our own store, so a failure that may pass
/// is tried again in hand.
async fn without_row<S: Stage>(
    engine: &Engine,
    stage: &S,
    event: Envelope<S::In>,
    lane: Lane,
    stopping: &CancellationToken,
) -> Carried {
    let spec = S::QUEUE.spec;
    let run = Run {
        workspace: event.workspace,
        call: event.call,
        stage: spec.stage,
        generation: event.generation,
        attempt: 1,
        fence: 0,
        since: engine.store.now(),
        lane,
    };
    let Some(held) = stopping.run_until_cancelled(engine.lease.held()).await else {
        return Carried::Interrupted;
    };
    let cx = Cx::new(engine.store.clone(), run, held.instance);
    loop {
        let handled = AssertUnwindSafe(stage.handle(&cx, &event)).catch_unwind().await;
        let error = match handled.unwrap_or_else(|panic| {
            let StageError { code, .. } = panicked(panic.as_ref());
            Err(StageError::permanent(code, anyhow!("the stage panicked")))
        }) {
            Ok(Outcome::Emit(data)) => {
                let event = emitted(&cx, data);
                publish(engine, (event.call, event.generation), event_message(&event, lane)).await;
                return Carried::ToTheEnd;
            }
            Ok(Outcome::Done | Outcome::Later(_)) => return Carried::ToTheEnd,
            Err(error) => error,
        };
        if error.fault != Fault::Permanent {
            tracing::warn!(code = error.code, %error, "failed to take an event in; trying again");
            if stopping.run_until_cancelled(tokio::time::sleep(STORE_PAUSE)).await.is_none() {
                return Carried::Interrupted;
            }
            continue;
        }
        tracing::error!(code = error.code, "the event cannot be taken in");
        let letter = letter(engine, &event, &error);
        return match until_stored(stopping, || engine.store.bury(&letter)).await {
            Some(()) => Carried::ToTheEnd,
            None => Carried::Interrupted,
        };
    }
}

fn letter<E: Event>(engine: &Engine, event: &Envelope<E>, error: &StageError) -> DeadLetter {
    let text = scrub::scrub(&error.to_string());
    let stage = table::consumers_of(E::KEY).next().map_or("unknown", |queue| queue.stage);
    DeadLetter {
        id: Uuid::new_v5(&event.id, stage.as_bytes()),
        workspace: Some(event.workspace),
        call_id: Some(event.call),
        stage: stage.to_owned(),
        generation: event.generation,
        attempts: 1,
        error_code: error.code.to_owned(),
        error_group: scrub::group(error.code, &text),
        error_text: text,
        body: String::from_utf8_lossy(&event.encode()).into_owned(),
        died_at: engine.store.now(),
        replayed_at: None,
    }
}

type Ids = (common::call::WorkspaceId, CallId, i64);

fn ids<E>(envelope: &Envelope<E>) -> Ids {
    (envelope.workspace, envelope.call, envelope.generation)
}

fn read<E: Event>(body: &[u8]) -> Result<Read<E>, DecodeError> {
    match Envelope::<E>::decode(body) {
        Ok(event) => Ok(Read::Event(event)),
        Err(DecodeError::Type { found, .. }) if found == RunWoken::KEY => {
            Envelope::<RunWoken>::decode(body).map(Read::Woken)
        }
        Err(error) => Err(error),
    }
}

/// The envelope of what a run emits. Its id follows from what it is, so that saying it twice says one thing.
fn emitted<E: Event>(cx: &Cx, data: E) -> Envelope<E> {
    let generation = cx.emits_at();
    let name = format!("{}:{generation}", E::KEY);
    Envelope {
        id: Uuid::new_v5(&cx.run.call.0, name.as_bytes()),
        workspace: cx.run.workspace,
        call: cx.run.call,
        generation,
        time: cx.now(),
        traceparent: telemetry::traceparent(),
        data,
    }
}

fn children<E: Event>(event: &Envelope<E>, lane: &str) -> Vec<NewRun> {
    table::consumers_of(E::KEY)
        .map(|queue| NewRun {
            stage: queue.stage,
            generation: event.generation,
            lane: lane.to_owned(),
            input: String::from_utf8_lossy(&event.encode()).into_owned(),
        })
        .collect()
}

fn event_message<E: Event>(event: &Envelope<E>, lane: Lane) -> Message {
    Message { route: Route::Event { key: E::KEY }, lane, id: event.id, body: Bytes::from(event.encode()) }
}

/// Publishes what rows already say. When it fails, the keeper wakes them as soon as the broker is back.
async fn publish(engine: &Engine, (call, generation): (CallId, i64), message: Message) {
    let route = message.route;
    let Err(error) = engine.broker.publish(message).await else { return };
    tracing::warn!(%error, "failed to publish; the keeper will wake the run");
    let stages: Vec<_> = match route {
        Route::Event { key } => table::consumers_of(key).map(|queue| queue.stage).collect(),
        Route::Stage { stage } => vec![stage],
    };
    for stage in stages {
        if let Err(error) = engine.store.wake_soon(call, stage, generation).await {
            tracing::warn!(%error, stage, "failed to have a run woken soon; it is woken when its message counts as lost");
        }
    }
}

fn report(settled: Result<(), crate::broker::BrokerError>) {
    if let Err(error) = settled {
        tracing::debug!(%error, "a delivery could not be settled; it comes again and finds nothing to do");
    }
}

/// Repeats a call to the store until it answers; nothing when the process stops first. While the store is
/// down, consumers pause here, and no attempt is spent.
async fn until_stored<T, F>(stopping: &CancellationToken, mut ask: impl FnMut() -> F) -> Option<T>
where
    F: Future<Output = common::store::Result<T>>,
{
    loop {
        match ask().await {
            Ok(answer) => return Some(answer),
            Err(error) => {
                tracing::warn!(%error, "the store does not answer; waiting");
                stopping.run_until_cancelled(tokio::time::sleep(STORE_PAUSE)).await?;
            }
        }
    }
}
