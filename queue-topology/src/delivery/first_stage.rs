//! Carries a delivery to a stage that has no rows. That is dedup, which makes the first row of a call.

use std::panic::AssertUnwindSafe;
use std::time::Instant;

use anyhow::anyhow;
use domain::event::Envelope;
use domain::fault::Fault;
use futures::FutureExt as _;
use store::DeadLetter;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::announcement;
use super::run::Carried;
use crate::context::{Cx, Run};
use crate::emission;
use crate::engine::Engine;
use crate::metrics;
use crate::scrubbing;
use crate::stage::{Outcome, Stage};
use crate::stage_error::StageError;
use crate::store_outage::{STORE_PAUSE, until_stored_or_stopped};
use crate::table::Lane;

/// Carries an event to a stage that has no rows. The stage changes nothing but our own store. So a failure that may
/// pass is tried again at once, and the delivery is held meanwhile.
pub(super) async fn carry<S: Stage>(
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
    let Some(term) = stopping.run_until_cancelled(engine.lease.term()).await else {
        return Carried::Interrupted;
    };
    let Some(_permit) = stopping.run_until_cancelled(engine.lease.work_permit(false)).await else {
        return Carried::Interrupted;
    };
    let cx = Cx::new(engine.store.clone(), run, term.instance);
    loop {
        let started = Instant::now();
        let handled = AssertUnwindSafe(stage.handle(&cx, &event)).catch_unwind().await;
        let error = match handled.unwrap_or_else(|panic| {
            let StageError { code, .. } = StageError::panicked(panic.as_ref());
            Err(StageError::permanent(code, anyhow!("the stage panicked")))
        }) {
            Ok(Outcome::Emit(data)) => {
                metrics::run_ended(spec.stage, "done", started.elapsed());
                let run = cx.emitting_run();
                let event = emission::envelope(&run, cx.now(), data);
                announcement::publish(
                    engine,
                    &run,
                    announcement::of_event(&event, cx.kind(), lane, engine.also),
                )
                .await;
                return Carried::ToTheEnd;
            }
            Ok(Outcome::Done | Outcome::Later(_)) => {
                metrics::run_ended(spec.stage, "done", started.elapsed());
                return Carried::ToTheEnd;
            }
            Err(error) => error,
        };
        if error.fault != Fault::Permanent {
            metrics::run_ended(spec.stage, "retry", started.elapsed());
            let text = scrubbing::scrub(&error.to_string());
            tracing::warn!(code = error.code, error = text, "failed to take an event in; trying again");
            if stopping.run_until_cancelled(tokio::time::sleep(STORE_PAUSE)).await.is_none() {
                return Carried::Interrupted;
            }
            continue;
        }
        metrics::run_ended(spec.stage, "dead", started.elapsed());
        tracing::error!(code = error.code, "the event cannot be taken in");
        let letter = letter::<S>(engine, &event, &error);
        return match until_stored_or_stopped(stopping, || engine.store.bury(&letter)).await {
            Some(()) => Carried::ToTheEnd,
            None => Carried::Interrupted,
        };
    }
}

fn letter<S: Stage>(engine: &Engine, event: &Envelope<S::In>, error: &StageError) -> DeadLetter {
    let text = scrubbing::scrub(&error.to_string());
    let stage = S::QUEUE.spec.stage;
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
        body: emission::text(event),
        died_at: engine.store.now(),
        replayed_at: None,
    }
}
