//! Tests what the system tells when something does not work.

use std::time::Duration;

use serde_json::json;

use crate::inputs::PhoneCall;
use crate::proxy::Proxy;
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

/// Tests a host that vanishes without closing its connections. Calls come in before, during and after the outage.
async fn goes_on_after(hurt: fn(&Proxy), wires: fn(&World) -> Vec<(&Proxy, &'static str)>, gone: Duration) {
    let world = World::start(Kind::Servers).await;
    let mut calls = vec![PhoneCall::new()];
    world.webhook(&calls[0]).await;
    for (wire, _) in wires(&world) {
        hurt(wire);
    }
    for role in ["api", "transcription", "slack"] {
        world
            .wait(&format!("{role} to say that it is not well"), async |world| {
                let health = world.health(role).await;
                let told = wires(world).iter().all(|(_, field)| health[*field] != "connected");
                (health["status"] == "degraded" && told).then_some(())
            })
            .await;
    }
    if wires(&world).len() == 1 {
        // Where the other one does not answer within a second, the webhook is refused, and the sender sends it again.
        calls.push(PhoneCall::new());
        world
            .wait("ingest to take a call in with only one of the two", async |world| {
                world.try_webhook(&calls[calls.len() - 1]).await.then_some(())
            })
            .await;
    }
    tokio::time::sleep(gone).await;
    for (wire, _) in wires(&world) {
        wire.mend();
    }
    calls.push(PhoneCall::new());
    world
        .wait("ingest to take a call in", async |world| {
            world.try_webhook(&calls[calls.len() - 1]).await.then_some(())
        })
        .await;
    for call in &calls {
        world.completed(&call.id).await;
        assert_eq!(world.slack_posts(&call.id).await.len(), 1, "{}", call.id);
    }
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_on_their_way_survive_wires_that_break_again_and_again() {
    let world = World::start(Kind::Servers).await;
    let mut calls = Vec::new();
    for round in 0..8 {
        let call = PhoneCall::new();
        // Where neither the broker nor the database answers within a second, the webhook is refused, and the test
        // sends it again.
        let mut tries = 0;
        while !world.try_webhook(&call).await {
            tries += 1;
            assert!(tries < 10, "nobody takes it, though both wires are whole");
        }
        calls.push(call);
        let wire = if round % 2 == 0 { world.postgres() } else { world.rabbitmq() };
        // At this moment the calls can be at any stage.
        tokio::time::sleep(Duration::from_millis(rand::random_range(0..700))).await;
        wire.unwrap().cut();
        tokio::time::sleep(Duration::from_millis(rand::random_range(0..400))).await;
        wire.unwrap().mend();
    }
    for call in &calls {
        world.completed(&call.id).await;
        assert_eq!(world.slack_posts(&call.id).await.len(), 1, "{}", call.id);
    }
    world.finish().await;
}

fn postgres(world: &World) -> Vec<(&Proxy, &'static str)> {
    vec![(world.postgres().unwrap(), "database")]
}

fn rabbitmq(world: &World) -> Vec<(&Proxy, &'static str)> {
    vec![(world.rabbitmq().unwrap(), "broker")]
}

#[tokio::test(flavor = "multi_thread")]
async fn work_goes_on_after_the_database_hung() {
    goes_on_after(Proxy::stall, postgres, Duration::ZERO).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn work_goes_on_after_the_broker_hung() {
    goes_on_after(Proxy::stall, rabbitmq, Duration::ZERO).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn work_goes_on_after_both_were_gone_for_a_while() {
    goes_on_after(Proxy::cut, |world| [postgres(world), rabbitmq(world)].concat(), Duration::from_secs(10))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_model_is_asked_again_and_nothing_is_invented() {
    let world = World::start(Kind::Embedded).await;
    world
        .faults(
            "openai",
            &json!({"next": [{"model": "schema_break"}, {"status": 500}, {"model": "refusal"}]}),
        )
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

#[test]
fn a_reader_that_has_seen_enough_is_no_mistake() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let folder = tempfile::tempdir().unwrap();
    let ended = std::process::Command::new(env!("CARGO_BIN_EXE_debrief"))
        .arg("check")
        .current_dir(folder.path())
        .stdout(writer)
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&ended.stderr), "");
}
