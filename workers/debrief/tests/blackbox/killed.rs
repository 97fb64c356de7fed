//! Kills every role in turn with `kill -9`. Accepted work continues after a restart, and nothing is done twice.

use serde_json::json;

use crate::inputs::PhoneCall;
use crate::world::{Kind, World};

#[tokio::test(flavor = "multi_thread")]
async fn work_goes_on_after_kill_9_embedded() {
    every_role_killed(Kind::Embedded).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn work_goes_on_after_kill_9_of_each_role_on_servers() {
    every_role_killed(Kind::Servers).await;
}

async fn every_role_killed(kind: Kind) {
    let mut world = World::start(kind).await;
    let mut calls = Vec::new();
    for role in world.roles() {
        let before = PhoneCall::new();
        world.webhook(&before).await;
        // The role dies while the provider works on the recording and no message is on its way to Slack.
        world
            .wait("the recording to be submitted", async |world| {
                let submitted = world.received("assemblyai", "/v2/transcript").await;
                let jobs = submitted.iter().filter(|body| body["audio_url"].is_string()).count();
                (jobs > calls.len()).then_some(())
            })
            .await;
        world.kill(&role).await;
        if role != "ingest" && role != "all" {
            // This call arrives while the role is gone.
            let during = PhoneCall::new();
            world.webhook(&during).await;
            calls.push(during);
        }
        calls.push(before);
        world.start_role(&role).await;
        for call in &calls {
            world.completed(&call.id).await;
        }
    }
    for call in &calls {
        assert_eq!(world.slack_posts(&call.id).await.len(), 1, "{}", call.id);
    }
    let logged = world.effects("call_data", "call_data").await;
    assert!(calls.iter().all(|call| logged.get(&call.id) == Some(&1)), "{logged:?}");
    // When a worker dies while it submits a job, nobody can say whether the provider took the job. That one job is
    // submitted again.
    let transcribed = world.effects("assemblyai", "transcript").await;
    let jobs: u64 = transcribed.values().sum();
    let recordings = u64::try_from(transcribed.len()).unwrap();
    assert!(jobs <= recordings + 1, "each recording is paid for once: {transcribed:?}");
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_is_asked_to_stop_ends_what_it_has_in_hand() {
    let mut world = World::start(Kind::Embedded).await;
    world.faults("slack", &json!({"latency_ms": 800})).await;
    let call = PhoneCall::new();
    world.webhook(&call).await;
    world
        .wait("the post to be on its way", async |world| {
            let posts = world.slack_posts(&call.id).await;
            (!posts.is_empty()).then_some(())
        })
        .await;
    assert_eq!(world.stop_role("all").await, Some(0));
    world.start_role("all").await;
    world.completed(&call.id).await;
    assert_eq!(world.slack_posts(&call.id).await.len(), 1);
    world.finish().await;
}
