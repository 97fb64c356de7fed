//! How a run ended: what is stored, and what is logged and sent once it is stored.

use domain::event::{Envelope, Event};
use domain::moment::Moment;
use store::{BegunRun, ErrorText, NewRun, Settled, Settlement, Write};

use super::announcement;
use crate::broker::Message;
use crate::context::Cx;
use crate::emission;
use crate::engine::Engine;
use crate::retry::{Failure, Next};
use crate::scrubbing;
use crate::stage::{Outcome, Stage};
use crate::stage_error::StageError;
use crate::table::{self, Lane};
use crate::wake_ups;

/// The end of a run, ready to be stored.
pub(super) enum Ending {
    Done { writes: Vec<Write>, children: Vec<NewRun>, messages: Vec<Message> },
    Again { not_before: Moment, spent: bool, error: Option<ScrubbedError> },
    Parked { destination: String, probe_at: Moment, error: ScrubbedError },
    Dead { error: ScrubbedError },
}

/// An error in the form in which it is stored and logged.
pub(super) struct ScrubbedError {
    code: &'static str,
    text: String,
}

impl Ending {
    pub(super) fn of<S: Stage>(
        engine: &Engine,
        cx: &Cx,
        begun: &BegunRun,
        result: Result<Outcome<S::Out>, StageError>,
    ) -> Self {
        let now = cx.now();
        match result {
            Ok(Outcome::Emit(data)) => {
                let event = emission::envelope(&cx.emitting_run(), now, data);
                let children = children(&event, cx, &begun.lane, engine.also);
                let messages = announcement::of_event(&event, cx.kind(), cx.run.lane, engine.also);
                Self::Done { writes: cx.take_writes(), children, messages }
            }
            Ok(Outcome::Done) => {
                Self::Done { writes: cx.take_writes(), children: Vec::new(), messages: Vec::new() }
            }
            // The run did nothing but give its place back, so nothing failed.
            Err(error) if error.is_for_want_of_a_place() => {
                let wait = error.retry_after.unwrap_or_default();
                Self::Again { not_before: now.plus(wait), spent: false, error: None }
            }
            Ok(Outcome::Later(wait)) => Self::Again { not_before: now.plus(wait), spent: false, error: None },
            Err(error) => {
                let failure = Failure {
                    fault: error.fault,
                    attempt: begun.attempts,
                    age: now.since(begun.since),
                    retry_after: error.retry_after,
                    jitter: rand::random(),
                };
                let scrubbed = ScrubbedError { code: error.code, text: scrubbing::scrub(&error.to_string()) };
                match engine.schedule.next_try(&failure) {
                    Next::Again { after, spent } => {
                        Self::Again { not_before: now.plus(after), spent, error: Some(scrubbed) }
                    }
                    Next::Park { probe_after } => Self::Parked {
                        destination: error
                            .destination
                            .map_or_else(|| cx.run.stage.to_owned(), |destination| destination.to_string()),
                        probe_at: now.plus(probe_after),
                        error: scrubbed,
                    },
                    Next::Dead => Self::Dead { error: scrubbed },
                }
            }
        }
    }

    /// The outcome as metrics and traces name it.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Done { .. } => "done",
            Self::Again { error: None, .. } => "later",
            Self::Again { .. } => "retry",
            Self::Parked { .. } => "parked",
            Self::Dead { .. } => "dead",
        }
    }

    /// Stores the end of the run.
    pub(super) async fn settle(&self, engine: &Engine, cx: &Cx) -> store::Result<Settled> {
        let group;
        let settlement = match self {
            Self::Done { writes, children, .. } => Settlement::Done { writes, children },
            Self::Again { not_before, spent, error } => Settlement::Again {
                not_before: *not_before,
                spent: *spent,
                error: error.as_ref().map(ScrubbedError::as_text),
            },
            Self::Parked { destination, probe_at, error } => {
                Settlement::Parked { destination, probe_at: *probe_at, error: error.as_text() }
            }
            Self::Dead { error } => {
                group = scrubbing::group(error.code, &error.text);
                Settlement::Dead { error: error.as_text(), group: &group }
            }
        };
        engine.store.settle_run(&cx.claim, &settlement).await
    }

    /// Logs the end of the run and announces what follows, once the end is stored.
    pub(super) async fn announce(self, engine: &Engine, cx: &Cx, begun: &BegunRun, lane: Lane) {
        // This run probed a destination for all runs that wait for it. Unless it is parked again, the destination is
        // back, or another of these runs has to probe next.
        if let Some(destination) = &begun.destination
            && !matches!(self, Self::Parked { .. })
        {
            wake_parked(engine, cx, destination).await;
        }
        match self {
            Self::Done { messages, .. } => announcement::publish(engine, &cx.emitting_run(), messages).await,
            Self::Again { not_before, .. } if not_before <= engine.store.now() => {
                let run = cx.run.key();
                announcement::publish(engine, &run, vec![wake_ups::message(&run, false, lane)]).await;
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

impl ScrubbedError {
    fn as_text(&self) -> ErrorText<'_> {
        ErrorText { code: self.code, text: &self.text }
    }
}

/// Wakes the runs that are parked for a destination, which was reached again.
async fn wake_parked(engine: &Engine, cx: &Cx, destination: &str) {
    match engine.store.unpark(cx.run.workspace, destination).await {
        Ok(0) => {}
        Ok(runs) => tracing::info!(destination, runs, "the destination is back: parked runs go on"),
        Err(error) => tracing::warn!(%error, "failed to wake parked runs; they are probed one by one"),
    }
}

/// The runs that start because of an emitted event: one for each stage that consumes it.
fn children<E: Event>(event: &Envelope<E>, cx: &Cx, lane: &str, also: &[&'static str]) -> Vec<NewRun> {
    let Some(kind) = cx.kind() else { return Vec::new() };
    table::consumers(E::KEY, kind)
        .chain(table::switched_on(E::KEY, kind, also))
        .map(|queue| NewRun {
            stage: queue.stage,
            generation: event.generation,
            lane: lane.to_owned(),
            input: emission::text(event),
        })
        .collect()
}
