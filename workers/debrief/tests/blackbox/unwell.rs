//! What is said when something is not well.

use serde_json::json;

use crate::inputs::PhoneCall;
use crate::world::{Kind, World};

#[tokio::test(flavor = "multi_thread")]
async fn health_never_says_healthy_when_the_database_or_the_broker_is_gone() {
    let world = World::start(Kind::Servers).await;
    for role in ["ingest", "api", "slack"] {
        assert_eq!(world.health(role).await["status"], "healthy");
    }
    for (wire, field) in [(world.postgres().unwrap(), "database"), (world.rabbitmq().unwrap(), "broker")] {
        wire.cut();
        for role in ["ingest", "api", "slack"] {
            world
                .wait(&format!("{role} to notice that its {field} is gone"), async |world| {
                    let health = world.health(role).await;
                    (health["status"] == "degraded" && health[field] != "connected").then_some(())
                })
                .await;
            assert_eq!(world.ready(role).await, 503);
        }
        wire.mend();
        for role in ["ingest", "api", "slack"] {
            world
                .wait(&format!("{role} to be well again"), async |world| {
                    (world.health(role).await["status"] == "healthy").then_some(())
                })
                .await;
        }
    }
    let call = PhoneCall::new();
    world.webhook(&call).await;
    world.completed(&call.id).await;
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_accepted_while_the_broker_is_gone_is_done_when_it_is_back() {
    let world = World::start(Kind::Servers).await;
    let call = PhoneCall::new();
    world.rabbitmq().unwrap().cut();
    world.webhook(&call).await;
    world.rabbitmq().unwrap().mend();
    world.completed(&call.id).await;
    assert_eq!(world.slack_posts(&call.id).await.len(), 1);
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_model_is_asked_again_and_nothing_is_invented() {
    let world = World::start(Kind::Embedded).await;
    world
        .faults("openai", &json!({"next": [{"model": "not_json"}, {"status": 500}, {"model": "refusal"}]}))
        .await;
    let call = PhoneCall::new();
    world.webhook(&call).await;
    let seen = world.completed(&call.id).await;
    let shown = world.get(&format!("/api/calls/{}", seen["id"].as_str().unwrap())).await.unwrap();
    assert_ne!(shown["analysis"]["analyzer"], "builtin", "{shown}");
    let timeline = world.get(&format!("/api/calls/{}/timeline", seen["id"].as_str().unwrap())).await.unwrap();
    assert!(timeline.to_string().contains("\"analysis\""), "{timeline}");
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_that_is_no_recording_fails_the_call_and_says_why() {
    let world = World::start(Kind::Embedded).await;
    for url in ["file:///etc/passwd", "http://127.0.0.1:9/x.mp3", "http://169.254.169.254/latest/meta-data/"]
    {
        let call = PhoneCall::new();
        let answer = world.post("/webhook/zapier", &call.webhook(Some(url))).await.unwrap();
        assert_eq!(answer.status(), 200);
        world.status(&call.id, "failed").await;
        let dead = world.get("/api/dead-letters").await.unwrap();
        assert!(dead.to_string().contains("recording_url_refused"), "{url}: {dead}");
        assert!(world.slack_posts(&call.id).await.is_empty());
    }
    world.finish().await;
}
