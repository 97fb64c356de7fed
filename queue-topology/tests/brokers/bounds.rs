//! What waits for somebody else's system leaves places to what does not.

use domain::call::CallId;
use domain::event::{CallAccepted, CallReceived, CallTranscribed, Envelope, Event as _};
use queue_topology::table::{self, Queue};
use queue_topology::{Cx, Outcome, Pipeline, Stage, StageError, Whom};
use store::RunKey;

use crate::delivery::{Dedup, Process, WORKSPACE, received};

const HOST: &str = "slow.example.com";
const SLOW: &str = "slow";

/// A stage that fetches from a host that never answers, for the calls of one source.
struct Fetch;

impl Stage for Fetch {
    type In = CallAccepted;
    type Out = CallTranscribed;
    const QUEUE: Queue<CallAccepted> = table::TRANSCRIPTION;

    async fn handle(
        &self,
        cx: &Cx,
        _: &Envelope<CallAccepted>,
    ) -> Result<Outcome<CallTranscribed>, StageError> {
        if cx.call().await?.source == SLOW {
            let _held = cx.wait_for(Whom::Host(HOST)).await?;
            std::future::pending::<()>().await;
        }
        Ok(Outcome::Emit(CallTranscribed {}))
    }
}

#[tokio::test]
async fn a_host_that_hangs_holds_some_places_and_the_others_go_on_and_everybody_sees_it() {
    let folder = tempfile::tempdir().unwrap();
    let process = Process::run(folder.path(), Pipeline::new().then(Dedup).then(Fetch).workers()).await;
    let mut slow: Vec<CallId> = Vec::new();
    // More than the worker has places, so that all places would be held.
    for _ in 0..u32::from(table::TRANSCRIPTION.spec.prefetch) + 8 {
        let event = received(SLOW);
        slow.push(event.call);
        process.publish(event.encode(), CallReceived::KEY).await;
    }
    let store = process.engine.store.clone();
    process
        .wait(async || {
            let running = store.running_runs(100).await.unwrap();
            running.iter().any(|run| run.waits_for.as_deref() == Some(HOST))
        })
        .await;
    let call = process.receive().await;
    let run = RunKey { workspace: WORKSPACE, call, stage: "transcription", generation: 1 };
    process.wait(async || store.is_done(&run).await.unwrap()).await;
    for call in slow {
        for run in store.runs(WORKSPACE, call).await.unwrap() {
            assert!(run.attempts <= 1, "a run that gives its place back spends no attempt: {run:?}");
            assert_eq!(run.error_code, None, "{run:?}");
        }
    }
    process.stop().await;
}
