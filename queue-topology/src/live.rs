//! Starts the work on a live session. Whoever stores a piece of audio makes the session's run wait in the same
//! transaction, and then sends the run a message. A message that is lost is a delay: the keeper wakes the run.

use domain::event::SpeechHeard;
use store::{RunKey, Store};

use crate::broker::Broker;
use crate::emission;
use crate::table::{self, Lane};
use crate::wake_ups;
use domain::call::{CallId, WorkspaceId};

/// The run of a session at this generation.
pub fn run(workspace: WorkspaceId, call: CallId, generation: i64) -> RunKey {
    RunKey { workspace, call, stage: table::LIVE.spec.stage, generation }
}

/// The event that starts the run at this generation, as its waiting row keeps it.
pub fn input(store: &Store, workspace: WorkspaceId, call: CallId) -> impl Fn(i64) -> String + Sync {
    let now = store.now();
    move |generation| emission::input::<SpeechHeard>(&run(workspace, call, generation), now)
}

/// Wakes the run of a session, which is waiting.
pub async fn wake(broker: &dyn Broker, store: &Store, run: &RunKey) {
    if let Err(error) = broker.publish(wake_ups::message(run, false, Lane::Live)).await {
        tracing::debug!(%error, call = %run.call, "failed to wake a live session; the keeper does");
        if let Err(error) = store.wake_soon(run).await {
            tracing::debug!(%error, call = %run.call, "failed to wake a live session soon");
        }
    }
}
