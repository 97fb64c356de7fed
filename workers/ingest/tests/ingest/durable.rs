use std::time::{Duration, Instant};

use serde_json::json;

use crate::world::{Answer, Mood, World};

async fn send(world: &World) -> (Answer, Duration) {
    let begin = Instant::now();
    let answer = world.json("/webhook/zapier", json!({ "call_id": "a" })).await;
    (answer, begin.elapsed())
}

#[tokio::test]
async fn a_broker_that_takes_nothing_is_passed_over_at_once() {
    let world = World::with(&[], Mood::Refuses, Mood::Works);
    let (answer, took) = send(&world).await;
    assert_eq!(answer.status, 200);
    assert_eq!(world.outbox.events.lock().unwrap().len(), 1);
    assert!(took < Duration::from_millis(500), "{took:?}");
}

#[tokio::test]
async fn a_broker_that_does_not_confirm_is_waited_for_a_second() {
    let world = World::with(&[], Mood::Hangs, Mood::Works);
    let (answer, took) = send(&world).await;
    assert_eq!(answer.status, 200);
    assert_eq!(world.outbox.events.lock().unwrap().len(), 1);
    assert!(took >= Duration::from_secs(1) && took < Duration::from_secs(2), "{took:?}");
}

#[tokio::test]
async fn what_is_on_disk_nowhere_is_never_accepted() {
    for (broker, outbox) in [(Mood::Refuses, Mood::Refuses), (Mood::Hangs, Mood::Hangs)] {
        let world = World::with(&[], broker, outbox);
        let (answer, took) = send(&world).await;
        answer.is_problem(503);
        assert_eq!(answer.headers["retry-after"], "5");
        assert!(took < Duration::from_secs(3), "{took:?}");
    }
}

#[tokio::test]
async fn an_outbox_that_fails_is_asked_again_while_there_is_time() {
    let world = World::with(&[], Mood::Refuses, Mood::Stumbles);
    let (answer, _) = send(&world).await;
    assert_eq!(answer.status, 200);
    assert_eq!(world.outbox.events.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn what_only_the_outbox_knows_is_not_called_a_duplicate_later() {
    let world = World::with(&[], Mood::Refuses, Mood::Works);
    send(&world).await;
    let (again, _) = send(&world).await;
    assert_eq!(again.body["message"], "Call queued for processing");
}
