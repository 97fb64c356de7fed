//! How sessions begin, take audio and end, and what is refused.

use axum::http::StatusCode;
use serde_json::json;

use crate::world::{WORKSPACE, World, form, voice, wav};

#[tokio::test]
async fn a_session_begins_once_and_ends_once() {
    let world = World::new().await;
    let call = world.start("s-1").await;
    let again = world.post("/api/calls/start", json!({"session_id": " s-1 "})).await;
    assert_eq!(again.status, StatusCode::OK);
    assert_eq!(again.body["call_id"], json!(call));
    assert_eq!(
        (again.body["status"].as_str(), again.body["message"].as_str()),
        (Some("started"), Some("Call session started successfully"))
    );
    let first = world.end("s-1").await;
    let second = world.end("s-1").await;
    assert_eq!((first.status, &first.body), (StatusCode::OK, &second.body));
    assert_eq!(first.body["processing_status"], "No audio files to process");
    let late = world.post("/api/calls/start", json!({"session_id": "s-1"})).await;
    assert_eq!(late.status, StatusCode::CONFLICT);
    let ended = world.told("s-1", "call_status", 3).await;
    let states: Vec<_> = ended.iter().map(|event| event["data"]["status"].as_str().unwrap()).collect();
    assert_eq!(states, ["started", "ended", "completed"], "it is told once that the session ended");
    assert!(world.store.call(WORKSPACE, call).await.unwrap().is_some());
}

#[tokio::test]
async fn a_piece_is_kept_once_however_often_it_comes() {
    let world = World::new().await;
    world.says(&["Hello."]).await;
    world.start("s-1").await;
    let (one, other) = (wav(&voice(1, 900, 100)), wav(&voice(2, 900, 100)));
    let first = world.piece("s-1", &one, &[("sequence", "0")]).await;
    assert_eq!(first.status, StatusCode::OK, "{}", first.body);
    assert_eq!(
        (first.body["files_count"].as_i64(), first.body["status"].as_str()),
        (Some(1), Some("uploaded"))
    );
    assert_eq!(world.piece("s-1", &one, &[("sequence", "0")]).await.body["files_count"], 1);
    let taken = world.piece("s-1", &other, &[("sequence", "0"), ("channel", "1")]).await;
    assert_eq!(
        taken.status,
        StatusCode::CONFLICT,
        "another piece never vanishes as a repetition: {}",
        taken.body
    );
    let by_key = world.send(form("s-1", &other, &[], Some("k-1"))).await;
    assert_eq!(by_key.body["files_count"], 2);
    assert_eq!(world.send(form("s-1", &other, &[], Some("k-1"))).await.body["files_count"], 2);
    assert_eq!(world.end("s-1").await.body["audio_files_count"], 2);
    assert_eq!(
        world.piece("s-1", &one, &[("sequence", "0")]).await.status,
        StatusCode::OK,
        "its answer was lost"
    );
    let late = world.piece("s-1", &other, &[("sequence", "9")]).await;
    assert_eq!(late.status, StatusCode::CONFLICT);
}

#[tokio::test]
async fn pieces_that_come_at_once_are_all_kept() {
    let world = World::new().await;
    world.says(&["Hello."]).await;
    world.start("s-1").await;
    let pieces: Vec<Vec<u8>> = (0..8).map(|seed| wav(&voice(seed, 300, 100))).collect();
    let sending = pieces.iter().map(|piece| world.piece("s-1", piece, &[]));
    let answers = futures::future::join_all(sending).await;
    let mut counts: Vec<_> =
        answers.iter().map(|answer| answer.body["files_count"].as_i64().unwrap()).collect();
    counts.sort_unstable();
    assert_eq!(counts, (1..=8).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_cannot_be_used_is_refused_and_named() {
    let world = World::new().await;
    world.start("s-1").await;
    let silence = wav(&[0.0; 1_600]);
    assert_eq!(world.piece("nobody", &silence, &[]).await.status, StatusCode::NOT_FOUND);
    assert_eq!(world.end("nobody").await.status, StatusCode::NOT_FOUND);
    assert_eq!(world.get("/api/calls/nobody/summary").await.status, StatusCode::NOT_FOUND);
    assert_eq!(world.get("/api/calls/nobody/events").await.status, StatusCode::NOT_FOUND);
    let text = world.piece("s-1", b"Dear Sir or Madam", &[]).await;
    assert_eq!(text.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert!(text.body["detail"].as_str().unwrap().contains("is text, not audio"), "{}", text.body);
    let wrong = world.piece("s-1", &silence, &[("sequence", "-1")]).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(wrong.body["errors"][0]["pointer"], "/sequence");
    for body in [json!({}), json!({"session_id": ""}), json!({"session_id": {}}), json!([])] {
        let refused = world.post("/api/calls/start", body.clone()).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{body}");
    }
    let after = world.get("/api/calls/s-1/events?after=x").await;
    assert_eq!(after.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn a_session_that_nobody_ends_ends_by_itself_and_says_so() {
    let world = World::with(&[("LIVE_END_AFTER", "1s")]).await;
    world.says(&["Hello."]).await;
    world.start("s-1").await;
    world.piece("s-1", &wav(&voice(1, 1_000, 200)), &[]).await;
    let ended = world.told("s-1", "call_status", 2).await;
    assert_eq!(ended[1]["data"]["metadata"]["reason"], "silence");
    let arrival = world.arrival().await;
    assert_eq!(crate::world::notes(&arrival)[0].0, "live_ended_by_silence");
}
