//! Carries a delivery to a run that has a row, which is every run but those of dedup.

#[cfg(test)]
mod tests;

use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::anyhow;
use domain::event::{Envelope, Event};
use futures::FutureExt as _;
use store::{Begun, BegunRun, RunKey, RunRequest, Settled};
use tokio_util::sync::CancellationToken;

use super::announcement;
use super::ending::Ending;
use crate::context::{Cx, Outside, Run};
use crate::engine::Engine;
use crate::lease::Term;
use crate::metrics;
use crate::places::Places;
use crate::requests::Requests;
use crate::stage::{Outcome, Stage};
use crate::stage_error::StageError;
use crate::store_outage::until_stored_or_stopped;
use crate::table::{self, Lane, QueueSpec};
use crate::wake_ups;

/// What became of a delivery.
pub(super) enum Carried {
    /// Everything that there was to do is stored.
    ToTheEnd,
    /// The process has to stop, so somebody else must look at the delivery.
    Interrupted,
}

/// Takes the run that a message names, if it is to be done, and does it.
pub(super) async fn carry<S: Stage>(
    engine: &Engine,
    stage: &S,
    (key, nudge): (RunKey, bool),
    places: &Arc<Places>,
    stopping: &CancellationToken,
) -> Carried {
    let spec = S::QUEUE.spec;
    let mut alone = false;
    let (term, _permit, begun) = loop {
        let permitted = async { (engine.lease.work_permit(alone).await, engine.lease.term().await) };
        let Some((permit, term)) = stopping.run_until_cancelled(permitted).await else {
            return Carried::Interrupted;
        };
        let request = RunRequest { nudge, alone, ..RunRequest::new(key, term.instance, engine.store.now()) };
        let begun = until_stored_or_stopped(stopping, || async {
            let may_judge_in = engine.lease.may_judge_in();
            engine.store.begin_run(&RunRequest { may_judge_in, ..request }).await
        });
        match begun.await {
            None => return Carried::Interrupted,
            Some(Begun::Suspect) => {
                tracing::warn!("two processes died while they worked on this run: it goes on alone");
                alone = true;
            }
            Some(Begun::Poison) => {
                tracing::error!("the run is dead: three processes died while they worked on it");
                return Carried::ToTheEnd;
            }
            Some(Begun::NothingToDo) => return announce_again::<S>(engine, &key, stopping).await,
            Some(Begun::Mine(begun)) => break (term, permit, begun),
        }
    };
    platform::failpoint!("begun", spec.stage);
    let run = Run {
        workspace: key.workspace,
        call: key.call,
        stage: spec.stage,
        generation: begun.generation,
        attempt: begun.attempts,
        fence: begun.fence,
        since: begun.since,
        lane: Lane::from_name(&begun.lane),
    };
    tracing::Span::current().record("attempt", run.attempt);
    let requests = Requests::beside(engine.lease.requests());
    let outside =
        Outside { places: Arc::clone(places), waits: engine.waits.clone(), memory: engine.memory.clone() };
    let cx = Cx::new(engine.store.clone(), run, term.instance).watched(requests, begun.kind).bounded(outside);
    let started = Instant::now();
    let result = match without_work(&spec, &begun) {
        Some(result) => Some(result),
        None => work(stage, &cx, &begun, &term, stopping, engine.drain_timeout).await,
    };
    let Some(result) = result else {
        // The lease was lost, or the time is over. Either this process makes the run wait again, or whoever sees that
        // the lease is over takes it.
        return Carried::ToTheEnd;
    };
    platform::failpoint!("handled", spec.stage);
    let lane = cx.run.lane;
    let ending = Ending::of::<S>(engine, &cx, &begun, result);
    tracing::Span::current().record("outcome", ending.name());
    metrics::run_ended(spec.stage, ending.name(), started.elapsed());
    let settled = until_stored_or_stopped(stopping, || async { ending.settle(engine, &cx).await });
    match settled.await {
        None => Carried::Interrupted,
        // Either somebody took the run over, or this process settled it and the answer was lost. In the second case
        // the runs that follow still wait for their messages.
        Some(Settled::NotOurs) => announce_again::<S>(engine, &key, stopping).await,
        Some(Settled::NewerWaits { generation }) => {
            let newer = RunKey { generation, ..key };
            announcement::publish(engine, &newer, vec![wake_ups::message(&newer, false, lane)]).await;
            Carried::ToTheEnd
        }
        Some(Settled::Yes) => {
            ending.announce(engine, &cx, &begun, lane).await;
            Carried::ToTheEnd
        }
    }
}

/// The result of a run that the stage must not see, because its queue does not take calls of this kind. Such a run
/// exists only if the table was changed after the run's row was made.
fn without_work<E>(spec: &QueueSpec, begun: &BegunRun) -> Option<Result<Outcome<E>, StageError>> {
    match begun.kind {
        // A newer program may know the kind. It may take the run when this one tries again.
        None => {
            let unknown = anyhow!("this program does not know the kind of the call");
            Some(Err(StageError::transient("call_kind_unknown", unknown)))
        }
        Some(kind) if !spec.takes.includes(kind) => Some(Ok(Outcome::Done)),
        Some(_) => None,
    }
}

/// Calls the stage. Returns nothing if the lease was lost, or if the process had to stop before the stage ended. Then
/// a request that is on its way comes to its end first, and no new one is sent.
async fn work<S: Stage>(
    stage: &S,
    cx: &Cx,
    begun: &BegunRun,
    term: &Term,
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
            return Some(handled.unwrap_or_else(|panic| Err(StageError::panicked(panic.as_ref()))));
        }
        () = term.lost.cancelled() => {}
        () = out_of_time => {}
    }
    tokio::select! {
        biased;
        () = cx.requests.end() => {}
        _ = handled => {}
    }
    None
}

/// Announces again the runs that follow from `key` and that nobody has begun, if `key` is done. The message came a
/// second time, or somebody else has the run, and the first announcement may have been lost.
async fn announce_again<S: Stage>(engine: &Engine, key: &RunKey, stopping: &CancellationToken) -> Carried {
    let stages: Vec<_> = table::following(S::Out::KEY).map(|queue| queue.stage).collect();
    if stages.is_empty() {
        return Carried::ToTheEnd;
    }
    let waiting = until_stored_or_stopped(stopping, || async {
        if engine.store.is_done(key).await? {
            engine.store.waiting_runs(key, &stages).await
        } else {
            Ok(Vec::new())
        }
    });
    let Some(waiting) = waiting.await else { return Carried::Interrupted };
    for run in waiting {
        let lane = Lane::from_name(&run.lane);
        let child = RunKey { stage: run.stage, ..*key };
        announcement::publish(engine, &child, vec![wake_ups::message(&child, false, lane)]).await;
    }
    Carried::ToTheEnd
}
