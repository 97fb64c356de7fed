//! Replays: a call is done again, in a newer generation, from one stage on.
//!
//! A replay only writes to the store. The new run is due at once and the keeper wakes it, so any process can start a
//! replay, with a connection to the broker or without one. Outside, the run finds the records again that an earlier run
//! made, and changes those.
//! The audit keeps who asked for what.

use std::time::Duration;

use domain::call::{CallId, WorkspaceId};
use domain::event::Event;
use serde_json::{Value, json};
use store::{Action, Audit, DeadFilter, DeadLetter, OperatorRequest, RunKey, Store};
use uuid::Uuid;

use crate::emission;
use crate::live;
use crate::table::{self, MakeInput, Queue, QueueSpec};

/// A stage from which a call can be done again.
#[derive(Clone, Copy, Debug)]
pub struct Start {
    pub stage: &'static str,
    input: MakeInput,
}

impl Start {
    /// The start of the whole call.
    pub const WHOLE_CALL: Self = Self::at(&table::TRANSCRIPTION);

    /// The start at the stage with this name, if there is one.
    pub fn named(name: &str) -> Option<Self> {
        table::of_stage(name).and_then(Self::of)
    }

    /// The names of all stages from which a call can be done again.
    pub fn names() -> Vec<&'static str> {
        table::ALL.iter().filter_map(Self::of).map(|start| start.stage).collect()
    }

    pub(crate) const fn at<E: Event + Default>(queue: &Queue<E>) -> Self {
        Self { stage: queue.spec.stage, input: emission::input::<E> }
    }

    fn of(queue: &QueueSpec) -> Option<Self> {
        queue.input.map(|input| Self { stage: queue.stage, input })
    }

    /// The event that starts `run`, as its waiting row keeps it.
    pub(crate) fn input(&self, store: &Store, run: &RunKey) -> String {
        (self.input)(run, store.now())
    }
}

/// How many letters are read at a time.
const BATCH: i64 = 200;

/// A call that is done again, and the batch that the audit keeps it under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replayed {
    pub generation: i64,
    pub batch: Uuid,
}

/// Does the call again from `start` on, because `actor` asked for it. Returns nothing if the call never came to that
/// stage.
///
/// The run goes through the live lane: a person waits for it, and one call delays nobody for long. Dead letters and
/// imports come in thousands, so they go through the bulk lane.
pub async fn call(
    store: &Store,
    (workspace, actor): (WorkspaceId, &str),
    call: CallId,
    start: Start,
) -> store::Result<Option<Replayed>> {
    let what = call_as_asked(call, start.stage);
    let request = OperatorRequest { workspace, actor, action: Action::ReplayCall, what };
    let input = |run: &RunKey| start.input(store, run);
    let replayed = store.replay_call(&request, call, start.stage, input).await?;
    let Some((RunKey { generation, .. }, batch)) = replayed else { return Ok(None) };
    tracing::info!(%call, from = start.stage, generation, %batch, actor, "a call is done again");
    Ok(Some(Replayed { generation, batch }))
}

/// What became of a request to replay dead letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batch {
    pub id: Uuid,
    /// The request continued a batch that had been cut off.
    pub resumed: bool,
    /// How many letters matched.
    pub matched: i64,
    /// How many letters started something. A letter whose run is not dead any more starts nothing and is only marked.
    pub replayed: i64,
}

/// Replays the letters that match, oldest first, with a `pause` after each, because `actor` asked for it. The audit keeps
/// `why`.
///
/// A letter is marked in the transaction that starts its run again. So if this is cut off, whoever asks for the same
/// continues where it stopped. Runs that die meanwhile do not belong to the batch: otherwise it might never end.
pub async fn letters(
    store: &Store,
    (workspace, actor): (WorkspaceId, &str),
    (filter, why): (&DeadFilter, Option<&str>),
    pause: Option<Duration>,
) -> store::Result<Batch> {
    let what = letters_as_asked(filter, why);
    let request = OperatorRequest { workspace, actor, action: Action::ReplayDeadLetters, what };
    let now = store.now();
    let audit = store.begin_audit(&request, filter.until.map_or(now, |until| until.min(now))).await?;
    let filter = DeadFilter { until: Some(audit.bound), ..filter.clone() };
    let matched = store.count_dead(workspace, &filter).await?;
    let mut replayed = 0;
    loop {
        let some = store.next_dead(workspace, &filter, BATCH).await?;
        if some.is_empty() {
            break;
        }
        for letter in &some {
            replayed += i64::from(replay_letter(store, &audit, letter).await?);
            if let Some(pause) = pause {
                tokio::time::sleep(pause).await;
            }
        }
    }
    store.end_audit(&audit).await?;
    let Audit { batch: id, resumed, .. } = audit;
    tracing::info!(batch = %id, resumed, matched, replayed, actor, "dead letters are replayed");
    Ok(Batch { id, resumed, matched, replayed })
}

async fn replay_letter(store: &Store, audit: &Audit, letter: &DeadLetter) -> store::Result<bool> {
    match (Start::named(&letter.stage), letter.workspace, letter.call_id) {
        (Some(start), Some(workspace), Some(call)) => {
            let died = RunKey { workspace, call, stage: start.stage, generation: letter.generation };
            store.replay_letter(audit, letter, &died, |run| start.input(store, run)).await
        }
        (None, Some(workspace), Some(call)) if letter.stage == table::LIVE.spec.stage => {
            // A session goes on from where it is.
            store.replay_live_letter(audit, letter, &live::input(store, workspace, call)).await
        }
        // The event died before it had a row, so the event itself is published again.
        _ => store.requeue_letter(audit, letter).await,
    }
}

/// Replays one letter, because `actor` asked for it. Returns false if that was done before, or if nobody needs the letter
/// any more.
pub async fn letter(
    store: &Store,
    (workspace, actor): (WorkspaceId, &str),
    letter: &DeadLetter,
    why: Option<&str>,
) -> store::Result<bool> {
    let mut what = json!({"letter": letter.id});
    if let Some(why) = why {
        what["why"] = json!(why);
    }
    let request = OperatorRequest { workspace, actor, action: Action::ReplayDeadLetters, what };
    let audit = store.begin_audit(&request, store.now()).await?;
    let replayed = replay_letter(store, &audit, letter).await?;
    store.end_audit(&audit).await?;
    tracing::info!(letter = %letter.id, replayed, actor, "a dead letter is replayed");
    Ok(replayed)
}

/// A request to do a call again, as the audit keeps it.
pub fn call_as_asked(call: CallId, stage: &str) -> Value {
    json!({"call": call, "from": stage})
}

/// A request to replay dead letters, as the audit keeps it: the filter and the reason, as they were given.
pub fn letters_as_asked(filter: &DeadFilter, why: Option<&str>) -> Value {
    let given = [
        ("stage", filter.stage.clone()),
        ("group", filter.group.clone()),
        ("since", filter.since.map(|since| since.to_string())),
        ("until", filter.until.map(|until| until.to_string())),
        ("why", why.map(str::to_owned)),
    ];
    given.into_iter().filter_map(|(name, value)| Some((name.to_owned(), Value::from(value?)))).collect()
}

#[cfg(test)]
mod tests {
    use domain::call::{CallId, WorkspaceId};
    use domain::event::{DecodeError, Envelope, Nothing};
    use domain::moment::Moment;

    use super::*;

    #[test]
    fn a_replay_starts_a_stage_with_the_event_that_its_queue_carries() {
        let is_live = |queue: &&QueueSpec| queue.stage == table::LIVE.spec.stage;
        for queue in table::ALL.iter().filter(|queue| queue.has_rows && !is_live(queue)) {
            let run = RunKey {
                workspace: WorkspaceId::DEFAULT,
                call: CallId(Uuid::from_u128(7)),
                stage: queue.stage,
                generation: 3,
            };
            let start = Start::of(queue).expect("a stage with rows can be replayed");
            let input = (start.input)(&run, Moment::from_micros(1));
            let refused = Envelope::<Nothing>::decode(input.as_bytes()).unwrap_err();
            let DecodeError::Type { found, .. } = refused else { panic!("{}: {refused}", queue.stage) };
            assert_eq!(found, queue.key, "{}", queue.stage);
        }
    }

    #[test]
    fn a_call_can_be_done_again_from_every_stage_but_dedup_and_the_live_one() {
        assert_eq!(Start::names(), ["transcription", "analysis", "crm", "slack", "score"]);
        assert!(Start::named("dedup").is_none() && Start::named("live").is_none());
    }
}
