//! Doing a call again: a newer generation of one stage and of what follows it.
//!
//! Only the store is written. The row is due at once and the keeper wakes it, so a replay can be asked for
//! by any process, with or without a broker at hand; what it does outside converges on the same records.
//! Who asked for what is kept with it.

use std::time::Duration;

use domain::call::{CallId, WorkspaceId};
use domain::event::{CallAccepted, CallAnalyzed, CallTranscribed, Envelope, Event};
use domain::moment::Moment;
use serde_json::{Value, json};
use store::{Action, Asked, Audit, DeadFilter, DeadLetter, NewRun, Store};
use uuid::Uuid;

use crate::table::{self, QueueSpec};

/// The stages from which on a call can be done again.
pub const STAGES: [&str; 4] = ["transcription", "analysis", "crm", "slack"];

/// The stage of this name, if a call can be done again from there.
pub fn stage(name: &str) -> Option<&'static str> {
    STAGES.into_iter().find(|stage| *stage == name)
}

/// Letters that are read at once.
const AT_ONCE: i64 = 200;

/// A call that is done again, and what the audit keeps that under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Again {
    pub generation: i64,
    pub batch: Uuid,
}

/// Does the call again from `stage` on; nothing where the call never came to that stage. `actor` asked for it.
///
/// In the live lane: a person waits for one call, and it stands before nobody for long. What comes in thousands,
/// dead letters and imports, goes through the bulk lane.
pub async fn call(
    store: &Store,
    (workspace, actor): (WorkspaceId, &str),
    call: CallId,
    stage: &'static str,
) -> store::Result<Option<Again>> {
    let what = call_as_asked(call, stage);
    let asked = Asked { workspace, actor, action: Action::ReplayCall, what };
    let input = |generation| input_of(stage, workspace, call, generation);
    let Some((NewRun { generation, .. }, batch)) = store.replay_call(&asked, call, stage, input).await?
    else {
        return Ok(None);
    };
    tracing::info!(%call, from = stage, generation, %batch, actor, "a call is done again");
    Ok(Some(Again { generation, batch }))
}

/// What became of a request to send dead letters on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batch {
    pub id: Uuid,
    /// It went on with a batch that had been cut off.
    pub resumed: bool,
    /// Letters that were to be sent on.
    pub matched: i64,
    /// Letters that are done again: a letter whose run is not dead any more is only done with.
    pub replayed: i64,
}

/// Sends on the letters that match, oldest first, with a `pause` after each. `actor` asked for it.
///
/// A letter is done with in the transaction that does its run again, so whoever asks for the same after this
/// was cut off goes on where it was. What dies meanwhile is not of this batch, which would never end.
pub async fn letters(
    store: &Store,
    (workspace, actor): (WorkspaceId, &str),
    filter: &DeadFilter,
    pause: Option<Duration>,
) -> store::Result<Batch> {
    let asked = Asked { workspace, actor, action: Action::ReplayDeadLetters, what: letters_as_asked(filter) };
    let now = store.now();
    let audit = store.begin_audit(&asked, filter.until.map_or(now, |until| until.min(now))).await?;
    let filter = DeadFilter { until: Some(audit.bound), ..filter.clone() };
    let matched = store.count_dead(workspace, &filter).await?;
    let mut replayed = 0;
    loop {
        let some = store.next_dead(workspace, &filter, AT_ONCE).await?;
        if some.is_empty() {
            break;
        }
        for letter in &some {
            replayed += i64::from(send_on(store, &audit, letter).await?);
            if let Some(pause) = pause {
                tokio::time::sleep(pause).await;
            }
        }
    }
    store.end_audit(&audit).await?;
    let Audit { batch: id, resumed, .. } = audit;
    tracing::info!(batch = %id, resumed, matched, replayed, actor, "dead letters are done again");
    Ok(Batch { id, resumed, matched, replayed })
}

async fn send_on(store: &Store, audit: &Audit, letter: &DeadLetter) -> store::Result<bool> {
    match (stage(&letter.stage), letter.workspace, letter.call_id) {
        (Some(stage), Some(workspace), Some(call)) => {
            let input = |generation| input_of(stage, workspace, call, generation);
            store.replay_letter(audit, letter, (workspace, call), stage, input).await
        }
        // It died before it had a row: the event itself goes round again.
        _ => store.requeue_letter(audit, letter).await,
    }
}

/// What the audit keeps of a request to do a call again.
pub fn call_as_asked(call: CallId, stage: &str) -> Value {
    json!({"call": call, "from": stage})
}

/// What the audit keeps of a request to send dead letters on: the filter, as it was given.
pub fn letters_as_asked(filter: &DeadFilter) -> Value {
    let given = [
        ("stage", filter.stage.clone()),
        ("group", filter.group.clone()),
        ("since", filter.since.map(|since| since.to_string())),
        ("until", filter.until.map(|until| until.to_string())),
    ];
    given.into_iter().filter_map(|(name, value)| Some((name.to_owned(), Value::from(value?)))).collect()
}

/// The event that the stage consumes, as its waiting row keeps it.
fn input_of(stage: &str, workspace: WorkspaceId, call: CallId, generation: i64) -> String {
    let key = table::ALL.iter().find(|queue: &&QueueSpec| queue.stage == stage).map_or("", |queue| queue.key);
    let bytes = match key {
        CallAccepted::KEY => envelope(workspace, call, generation, CallAccepted {}).encode(),
        CallTranscribed::KEY => envelope(workspace, call, generation, CallTranscribed {}).encode(),
        _ => envelope(workspace, call, generation, CallAnalyzed {}).encode(),
    };
    String::from_utf8_lossy(&bytes).into_owned()
}

fn envelope<E: Event>(workspace: WorkspaceId, call: CallId, generation: i64, data: E) -> Envelope<E> {
    let name = format!("{}:{generation}", E::KEY);
    Envelope {
        id: Uuid::new_v5(&call.0, name.as_bytes()),
        workspace,
        call,
        generation,
        time: Moment::now(),
        traceparent: platform::telemetry::traceparent(),
        data,
    }
}
