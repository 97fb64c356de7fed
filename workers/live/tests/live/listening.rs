//! What a listener sees: everything once, however late it comes.

use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use futures::StreamExt as _;

use crate::world::{World, voice, wav};

fn numbers(events: &[serde_json::Value]) -> Vec<i64> {
    events.iter().map(|event| event["seq"].as_i64().unwrap()).collect()
}

#[tokio::test]
async fn a_listener_asks_for_what_came_after_the_number_it_has() {
    let world = World::new().await;
    world.says(&["Hello."]).await;
    world.start("s-1").await;
    world.piece("s-1", &wav(&voice(1, 900, 900)), &[]).await;
    world.told("s-1", "transcript_update", 1).await;
    let all = world.events("s-1").await;
    assert_eq!(
        numbers(&all),
        (1..=i64::try_from(all.len()).unwrap()).collect::<Vec<_>>(),
        "no number is left out"
    );
    let rest = world.get("/api/calls/s-1/events?after=2").await.body;
    assert_eq!(rest["events"].as_array().unwrap()[..], all[2..]);
    let last = rest["last"].as_i64().unwrap();
    let none = world.get(&format!("/api/calls/s-1/events?after={last}")).await.body;
    assert_eq!((none["events"].as_array().unwrap().len(), none["last"].as_i64()), (0, Some(last)));
}

#[tokio::test]
async fn a_long_poll_is_answered_as_soon_as_there_is_something() {
    let world = World::new().await;
    world.start("s-1").await;
    let waiting = world.get("/api/calls/s-1/events?after=1&wait=20");
    let sound = wav(&voice(1, 500, 0));
    let sending = world.piece("s-1", &sound, &[]);
    // An answer that waits for its whole time has no event.
    let (answer, _) = futures::join!(waiting, sending);
    assert_eq!(answer.body["events"][0]["data"]["stage"], "uploaded");
}

#[tokio::test]
async fn a_number_that_cannot_be_used_is_refused_and_named() {
    let world = World::new().await;
    world.start("s-1").await;
    for (query, wrong) in [
        ("after=-1", "/after"),
        ("after=x", "/after"),
        ("wait=-1", "/wait"),
        ("wait=1.5", "/wait"),
        ("wait=26", "/wait"),
    ] {
        let answer = world.get(&format!("/api/calls/s-1/events?{query}")).await;
        assert_eq!(answer.status, 422, "{query}");
        assert_eq!(answer.body["errors"][0]["pointer"], wrong, "{query}");
    }
    for query in ["after=&wait=", "after=+1+", "wait=25"] {
        let path = format!("/api/calls/s-1/events?{query}");
        assert_eq!(world.get(&path).await.status, 200, "{query}");
    }
    let resumed =
        Request::get("/api/calls/s-1/events").header("last-event-id", "x").body(Body::empty()).unwrap();
    assert_eq!(world.send(resumed).await.status, 422);
}

#[tokio::test]
async fn a_stream_of_events_begins_after_the_last_one_and_follows() {
    let world = World::new().await;
    world.start("s-1").await;
    let request = Request::get("/api/calls/s-1/events")
        .header("accept", "text/event-stream")
        .header("last-event-id", "1")
        .body(Body::empty())
        .unwrap();
    let mut body = world.response(request).await.into_body().into_data_stream();
    world.piece("s-1", &wav(&voice(1, 500, 0)), &[]).await;
    let first = tokio::time::timeout(Duration::from_secs(20), body.next()).await.unwrap().unwrap().unwrap();
    let text = String::from_utf8(first.to_vec()).unwrap();
    assert!(text.contains("id: 2\n") && text.contains("event: audio_processing_status\n"), "{text}");
}
