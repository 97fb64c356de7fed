//! One delivery, from receive to acknowledge. The only place that acknowledges.
//!
//! The row decides: a message is taken to the row it names, and whoever cannot take the row has nothing
//! to do. The run ends in one transaction with its results and the rows that follow; only then is what
//! follows published, and the message acknowledged. What is lost in between, the keeper wakes.

mod ending;
mod first_stage;
#[cfg(test)]
mod tests;

use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::anyhow;
use domain::call::{CallId, WorkspaceId};
use domain::event::{DecodeError, Envelope, Event};
use futures::FutureExt as _;
use platform::telemetry;
use store::{Begun, BegunRun, Settled, Store, Taking};
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;
use uuid::Uuid;

use ending::{Ended, publish};
use first_stage::without_row;

use crate::broker::{Broker, Delivery, Lane, Message, Route};
use crate::effect::Requests;
use crate::lease::{Held, Lease};
use crate::metrics;
use crate::retry::Schedule;
use crate::shares::Shares;
use crate::stage::{Cx, Outcome, Run, Stage, StageError};
use crate::table;
use crate::wake_ups::{self, RunWoken};

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
    shares: &Arc<Shares>,
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
    let _share = match shares.take(ids.0) {
        Some(share) => share,
        None if lane == Lane::Live && moved_to_bulk(engine, spec.stage, &delivery).await => {
            return report(delivery.ack().await);
        }
        None => match stopping.run_until_cancelled(shares.wait(ids.0)).await {
            Some(share) => share,
            None => return report(delivery.give_back().await),
        },
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
    let carried = carried.instrument(span).await;
    platform::failpoint!("ack", spec.stage);
    match carried {
        Carried::ToTheEnd => report(delivery.ack().await),
        Carried::Interrupted => report(delivery.give_back().await),
    }
    platform::failpoint!("acked", spec.stage);
}

/// It is more than its workspace's share: it waits where it stands before nobody else.
async fn moved_to_bulk(engine: &Engine, stage: &'static str, delivery: &Delivery) -> bool {
    let id = delivery.message_id.unwrap_or_else(Uuid::now_v7);
    let message =
        Message { route: Route::Stage { stage }, lane: Lane::Bulk, id, body: delivery.body.clone() };
    let moved = engine.broker.publish(message).await;
    if let Err(error) = &moved {
        tracing::warn!(%error, stage, "failed to move a delivery to the bulk lane; it waits in hand");
    }
    moved.is_ok()
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
    let mut alone = false;
    let (held, _hand, begun) = loop {
        let hand = async { (engine.lease.hand(alone).await, engine.lease.held().await) };
        let Some((hand, held)) = stopping.run_until_cancelled(hand).await else {
            return Carried::Interrupted;
        };
        let asked_at = engine.store.now();
        let begun = until_stored(stopping, || async {
            let (stage, owner, judges_in) = (spec.stage, held.instance, engine.lease.judges_in());
            let taking =
                Taking { asked_at, workspace, call, stage, generation, nudge, owner, alone, judges_in };
            engine.store.begin_run_asked(&taking).await
        });
        match begun.await {
            None => return Carried::Interrupted,
            Some(Begun::Suspect) => {
                tracing::warn!("the process died twice while it worked on this: it goes on alone");
                alone = true;
            }
            Some(Begun::Poison) => {
                tracing::error!("the run is dead: the process died three times while it worked on this");
                return Carried::ToTheEnd;
            }
            Some(Begun::NothingToDo) => {
                return announce_again::<S>(engine, (workspace, call, generation), stopping).await;
            }
            Some(Begun::Mine(begun)) => break (held, hand, begun),
        }
    };
    platform::failpoint!("begun", spec.stage);
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
    let requests = Requests::beside(engine.lease.requests());
    let cx = Cx::new(engine.store.clone(), run, held.instance).with(requests);
    let started = Instant::now();
    let Some(result) = work(stage, &cx, &begun, &held, stopping, engine.drain_timeout).await else {
        // Lost or out of time: the lease puts it back, or whoever sees that the lease is over takes it.
        return Carried::ToTheEnd;
    };
    platform::failpoint!("handled", spec.stage);
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
            let message = wake_ups::message(spec.stage, (workspace, call, generation), false, lane);
            publish(engine, (call, generation), message).await;
            Carried::ToTheEnd
        }
        Some(Settled::Yes) => {
            ended.after(engine, &cx, &begun, lane).await;
            Carried::ToTheEnd
        }
    }
}

/// Calls the stage; nothing when the lease was lost, or the process had to stop before it ended. A request that
/// is on its way then comes to its end first, and nothing new is sent.
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
    let handled = AssertUnwindSafe(async {
        platform::failpoint!("handle", cx.run.stage, cx.run.call);
        stage.handle(cx, &event).await
    });
    let mut handled = pin!(handled.catch_unwind());
    let out_of_time = async {
        stopping.cancelled().await;
        tokio::time::sleep(drain_timeout).await;
    };
    tokio::select! {
        handled = &mut handled => {
            return Some(handled.unwrap_or_else(|panic| Err(panicked(panic.as_ref()))));
        }
        () = held.lost.cancelled() => {}
        () = out_of_time => {}
    }
    tokio::select! {
        biased;
        () = cx.requests.end() => {}
        _ = handled => {}
    }
    None
}

/// Only a text that stands in the code is told: one that was made can quote what was said in the call.
fn panicked(panic: &(dyn std::any::Any + Send)) -> StageError {
    let text = panic.downcast_ref::<&str>().copied().unwrap_or("the log says where");
    StageError::transient("panicked", anyhow!("the stage panicked: {text}"))
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
        let message = wake_ups::message(run.stage, (workspace, call, generation), false, lane);
        publish(engine, (call, generation), message).await;
    }
    Carried::ToTheEnd
}

type Ids = (WorkspaceId, CallId, i64);

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

fn report(settled: Result<(), crate::broker::BrokerError>) {
    if let Err(error) = settled {
        tracing::debug!(%error, "a delivery could not be settled; it comes again and finds nothing to do");
    }
}

/// Repeats a call to the store until it answers; nothing when the process stops first. While the store is
/// down, consumers pause here, and no attempt is spent.
async fn until_stored<T, F>(stopping: &CancellationToken, mut ask: impl FnMut() -> F) -> Option<T>
where
    F: Future<Output = store::Result<T>>,
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
