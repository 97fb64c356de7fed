//! How a run ended: what is stored, and what is said and sent once it is.

use bytes::Bytes;
use domain::call::CallId;
use domain::event::{Envelope, Event};
use domain::moment::Moment;
use platform::telemetry;
use store::{BegunRun, ErrorText, NewRun, Settled, Settlement};
use uuid::Uuid;

use super::Engine;
use crate::broker::{Lane, Message, Route};
use crate::retry::{Failure, Next};
use crate::scrub;
use crate::stage::{Cx, Outcome, Stage, StageError};
use crate::{table, wake};

/// How a run ended, ready to be stored.
pub(super) enum Ended {
    Done { writes: Vec<store::Write>, children: Vec<NewRun>, event: Option<Message> },
    Again { not_before: Moment, spent: bool, error: Option<Told> },
    Parked { destination: String, probe_at: Moment, error: Told },
    Dead { error: Told },
}

/// An error as it is stored and logged.
pub(super) struct Told {
    code: &'static str,
    text: String,
}

impl Ended {
    pub(super) fn of<S: Stage>(
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
                        destination: error
                            .destination
                            .map_or_else(|| cx.run.stage.to_owned(), |destination| destination.to_string()),
                        probe_at: now.plus(probe_after),
                        error: told,
                    },
                    Next::Dead => Self::Dead { error: told },
                }
            }
        }
    }

    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Done { .. } => "done",
            Self::Again { error: None, .. } => "later",
            Self::Again { .. } => "retry",
            Self::Parked { .. } => "parked",
            Self::Dead { .. } => "dead",
        }
    }

    pub(super) async fn settle(&self, engine: &Engine, cx: &Cx) -> store::Result<Settled> {
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
    pub(super) async fn after(&self, engine: &Engine, cx: &Cx, begun: &BegunRun, lane: Lane) {
        // It probed for all that wait with it: the destination is back, or the next one has to probe.
        if let Some(destination) = &begun.destination
            && !matches!(self, Self::Parked { .. })
        {
            wake_parked(engine, cx, destination).await;
        }
        match self {
            Self::Done { event: Some(event), .. } => {
                publish(engine, (cx.run.call, cx.emits_at()), event.clone()).await;
            }
            Self::Again { not_before, .. } if *not_before <= engine.store.now() => {
                let ids = (cx.run.workspace, cx.run.call, cx.run.generation);
                publish(engine, (ids.1, ids.2), wake::message(cx.run.stage, ids, false, lane)).await;
            }
            Self::Again { error: Some(error), not_before, .. } => {
                tracing::warn!(code = error.code, error = error.text, %not_before, "the run failed and is tried again");
            }
            Self::Done { .. } | Self::Again { .. } => {}
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

/// The envelope of what a run emits. Its id follows from what it is, so that saying it twice says one thing.
pub(super) fn emitted<E: Event>(cx: &Cx, data: E) -> Envelope<E> {
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

pub(super) fn event_message<E: Event>(event: &Envelope<E>, lane: Lane) -> Message {
    Message { route: Route::Event { key: E::KEY }, lane, id: event.id, body: Bytes::from(event.encode()) }
}

/// Publishes what rows already say. When it fails, the keeper wakes them as soon as the broker is back.
pub(super) async fn publish(engine: &Engine, (call, generation): (CallId, i64), message: Message) {
    let route = message.route;
    platform::failpoint!("publish");
    let published = engine.broker.publish(message).await;
    platform::failpoint!("published");
    let Err(error) = published else { return };
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
