//! Tests more requests at once than may be in progress.

use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::http::Request;
use futures::{FutureExt as _, stream};
use serde_json::json;

use crate::world::{Answer, Form, Mood, World, post};

const AT_ONCE: Duration = Duration::from_millis(500);

async fn webhook(world: &World) -> (Answer, Duration) {
    let begin = Instant::now();
    let answer = world.json("/webhook/zapier", json!({ "call_id": "a" })).await;
    (answer, begin.elapsed())
}

/// Sends a recording whose sender stops in the middle.
fn endless_upload() -> Request<Body> {
    let start = Form::default().part("audio", "a.wav", b"RIFF").cut(2);
    let rest = stream::once(async { Ok::<_, std::io::Error>(Bytes::from(start)) });
    let silence = stream::once(std::future::pending());
    post("/api/calls", Form::TYPE, Body::from_stream(futures::StreamExt::chain(rest, silence)))
}

#[tokio::test]
async fn a_request_above_the_limit_is_told_at_once_to_come_back() {
    let world = World::with(&[("DEBRIEF_MAX_REQUESTS", "2")], Mood::Hangs, Mood::Works);
    let (first, second, (third, took)) = futures::join!(webhook(&world), webhook(&world), webhook(&world));
    third.is_problem(503);
    assert_eq!(third.headers["retry-after"], "5");
    assert!(took < AT_ONCE, "{took:?}");
    assert_eq!([first.0.status, second.0.status].map(|status| status.as_u16()), [200, 200]);
    // The places of these requests are free again.
    assert_eq!(webhook(&world).await.0.status, 200);
}

#[tokio::test]
async fn slow_recordings_leave_room_for_webhooks_and_have_a_limit_too() {
    let world = World::with(&[("DEBRIEF_MAX_REQUESTS", "8")], Mood::Works, Mood::Works);
    let mut uploading = Box::pin(world.send(endless_upload()));
    assert!(uploading.as_mut().now_or_never().is_none());
    assert_eq!(webhook(&world).await.0.status, 200);
    world.send(endless_upload()).await.is_problem(503);
    drop(uploading);
    let mut again = Box::pin(world.send(endless_upload()));
    assert!(again.as_mut().now_or_never().is_none());
}
