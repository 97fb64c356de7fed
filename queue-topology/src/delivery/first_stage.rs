//! A stage behind which no row stands: dedup, which makes the first.

use std::panic::AssertUnwindSafe;

use anyhow::anyhow;
use domain::event::{Envelope, Event};
use domain::fault::Fault;
use futures::FutureExt as _;
use store::DeadLetter;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::ending::{emitted, event_message, publish};
use super::{Carried, Engine, STORE_PAUSE, panicked, until_stored};
use crate::broker::Lane;
use crate::scrubbing;
use crate::stage::{Cx, Outcome, Run, Stage, StageError};
use crate::table;

/// A stage behind which no row stands. It changes nothing but our own store, so a failure that may pass
/// is tried again in hand.
pub(super) async fn without_row<S: Stage>(
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
    let Some(_hand) = stopping.run_until_cancelled(engine.lease.hand(false)).await else {
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
            let text = scrubbing::scrub(&error.to_string());
            tracing::warn!(code = error.code, error = text, "failed to take an event in; trying again");
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
    let text = scrubbing::scrub(&error.to_string());
    let stage = table::consumers_of(E::KEY).next().map_or("unknown", |queue| queue.stage);
    DeadLetter {
        id: Uuid::new_v5(&event.id, stage.as_bytes()),
        workspace: Some(event.workspace),
        call_id: Some(event.call),
        stage: stage.to_owned(),
        generation: event.generation,
        attempts: 1,
        error_code: error.code.to_owned(),
        error_group: scrubbing::group(error.code, &text),
        error_text: text,
        body: String::from_utf8_lossy(&event.encode()).into_owned(),
        died_at: engine.store.now(),
        replayed_at: None,
    }
}
