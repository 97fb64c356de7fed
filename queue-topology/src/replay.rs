//! Doing a call again: a newer generation of one stage and of what follows it.
//!
//! Only the store is written. The row is due at once and the keeper wakes it, so a replay can be asked for
//! by any process, with or without a broker at hand; what it does outside converges on the same records.

use common::call::{CallId, WorkspaceId};
use common::event::{CallAccepted, CallAnalyzed, CallTranscribed, Envelope, Event};
use common::moment::Moment;
use common::store::{DeadLetter, Store};
use uuid::Uuid;

use crate::table::{self, QueueSpec};

/// The stages from which on a call can be done again.
pub const STAGES: [&str; 4] = ["transcription", "analysis", "crm", "slack"];

/// The stage of this name, if a call can be done again from there.
pub fn stage(name: &str) -> Option<&'static str> {
    STAGES.into_iter().find(|stage| *stage == name)
}

/// Does the call again from `stage` on. Returns the new generation, or nothing where the call never came
/// to that stage.
pub async fn call(
    store: &Store,
    workspace: WorkspaceId,
    call: CallId,
    stage: &'static str,
) -> common::store::Result<Option<i64>> {
    let input = |generation| input_of(stage, workspace, call, generation);
    Ok(store.replay_call(workspace, call, stage, input).await?.map(|run| run.generation))
}

/// Sends one dead letter on again. False when that was done before, or there is nothing to send.
pub async fn letter(store: &Store, letter: &DeadLetter) -> common::store::Result<bool> {
    match (stage(&letter.stage), letter.workspace, letter.call_id) {
        (Some(stage), Some(workspace), Some(id)) => {
            if !store.mark_replayed(letter.id).await? {
                return Ok(false);
            }
            Ok(call(store, workspace, id, stage).await?.is_some())
        }
        // It died before it had a row: the event itself goes round again.
        _ => store.requeue_letter(letter).await,
    }
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
        traceparent: common::telemetry::traceparent(),
        data,
    }
}
