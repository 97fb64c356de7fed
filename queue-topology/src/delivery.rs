//! One delivery, from the broker until it is acknowledged. This is the only place that acknowledges.
//!
//! The row decides: a message leads to the row that it names, and a process that cannot take the row has nothing to
//! do. A run ends in one transaction, together with its results and with the rows that follow. Only then are messages
//! for these published, and only then is this one acknowledged. If a message is lost in between, the keeper wakes its
//! run.

mod announcement;
mod ending;
mod first_stage;
mod run;

use std::sync::Arc;

use domain::event::{DecodeError, Envelope, Event};
use platform::telemetry;
use store::RunKey;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;
use uuid::Uuid;

use run::Carried;

use crate::broker::{BrokerError, Delivery, Message, Route};
use crate::engine::Engine;
use crate::metrics;
use crate::places::Places;
use crate::shares::Shares;
use crate::stage::Stage;
use crate::table::Lane;
use crate::wake_ups::RunWoken;

/// A message that was decoded.
enum Incoming<E> {
    Event(Envelope<E>),
    WakeUp(Envelope<RunWoken>),
}

/// What bounds the deliveries of one lane of a worker.
pub(crate) struct Bounds {
    pub(crate) shares: Arc<Shares>,
    pub(crate) places: Arc<Places>,
}

/// Carries one delivery to its end. When `stopping` is cancelled, the process has to stop, and what cannot be finished
/// is given back.
pub(crate) async fn deliver<S: Stage>(
    engine: &Engine,
    stage: &S,
    (delivery, lane): (Delivery, Lane),
    bounds: &Bounds,
    stopping: &CancellationToken,
) {
    let spec = S::QUEUE.spec;
    let incoming = match decode::<S::In>(&delivery.body) {
        Ok(incoming) => incoming,
        Err(error) => {
            tracing::warn!(stage = spec.stage, %error, "a message cannot be decoded: it goes to the dead queue");
            metrics::undecodable(spec.stage);
            return log_failure(delivery.reject().await);
        }
    };
    let (run, nudge, traceparent) = match &incoming {
        Incoming::Event(event) => (key::<S, _>(event), false, event.traceparent.clone()),
        Incoming::WakeUp(wake_up) => (key::<S, _>(wake_up), wake_up.data.nudge, None),
    };
    let _share = match bounds.shares.take(run.workspace) {
        Some(share) => share,
        None if lane == Lane::Live && moved_to_bulk(engine, spec.stage, &delivery).await => {
            return log_failure(delivery.ack().await);
        }
        None => match stopping.run_until_cancelled(bounds.shares.wait(run.workspace)).await {
            Some(share) => share,
            None => return log_failure(delivery.give_back().await),
        },
    };
    let span = tracing::info_span!(
        "run",
        otel.name = spec.stage,
        stage = spec.stage,
        workspace = %run.workspace,
        call = %run.call,
        generation = run.generation,
        attempt = tracing::field::Empty,
        outcome = tracing::field::Empty,
    );
    telemetry::set_parent(&span, traceparent.as_deref());
    let carried = async {
        match incoming {
            Incoming::Event(event) if !spec.has_rows => {
                first_stage::carry(engine, stage, event, lane, stopping).await
            }
            _ => run::carry(engine, stage, (run, nudge), &bounds.places, stopping).await,
        }
    };
    let carried = carried.instrument(span).await;
    platform::failpoint!("ack", spec.stage);
    match carried {
        Carried::ToTheEnd => log_failure(delivery.ack().await),
        Carried::Interrupted => log_failure(delivery.give_back().await),
    }
    platform::failpoint!("acked", spec.stage);
}

/// Moves a delivery that is above its workspace's share to the bulk lane, where it delays nobody else. Returns false if
/// the broker does not take it.
async fn moved_to_bulk(engine: &Engine, stage: &'static str, delivery: &Delivery) -> bool {
    let id = delivery.message_id.unwrap_or_else(Uuid::now_v7);
    let message =
        Message { route: Route::Stage { stage }, lane: Lane::Bulk, id, body: delivery.body.clone() };
    let moved = engine.broker.publish(message).await;
    if let Err(error) = &moved {
        tracing::warn!(%error, stage, "failed to move a delivery to the bulk lane; it waits in this worker");
    }
    moved.is_ok()
}

fn key<S: Stage, E>(envelope: &Envelope<E>) -> RunKey {
    let Envelope { workspace, call, generation, .. } = *envelope;
    RunKey { workspace, call, stage: S::QUEUE.spec.stage, generation }
}

fn decode<E: Event>(body: &[u8]) -> Result<Incoming<E>, DecodeError> {
    match Envelope::<E>::decode(body) {
        Ok(event) => Ok(Incoming::Event(event)),
        Err(DecodeError::Type { found, .. }) if found == RunWoken::KEY => {
            Envelope::<RunWoken>::decode(body).map(Incoming::WakeUp)
        }
        Err(error) => Err(error),
    }
}

fn log_failure(settled: Result<(), BrokerError>) {
    if let Err(error) = settled {
        tracing::debug!(%error, "a delivery could not be settled; it comes again and finds nothing to do");
    }
}
